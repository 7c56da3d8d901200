// Meaning through real HTTP: similarity in explain, thresholds on it, and the semantic policy from shadow to service.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { defaultReuse, readReuse, type RouteReuse } from '../../src/routes/index.ts';
import { ask, bearer, metricsOf, serveTiny } from '../support/served.ts';
import { wordEmbedder } from '../support/word-embedder.ts';

let served: Awaited<ReturnType<typeof serveTiny>>;
afterEach(() => served.close());

const north = bearer('key-north');
const chat = (content: string) => ({
  model: 'tiny',
  max_tokens: 2,
  temperature: 0,
  messages: [{ role: 'user', content }],
});
const advice = (verb: string, who: string): string =>
  `please ${verb} the hands with warm water when the door of the room is near and again on the way home because ` +
  `visitors carry germs that harm people whose bodies are weak and ${who} takes care`;
const prompt = (card: string, text: string): string => `Card of ${card}\n${text}\nWhat now?`;

const semantic = (qualityBudget: Partial<RouteReuse['qualityBudget']>) => {
  const settings = { policy: 'semantic', mergeGap: 4, minReuse: 0.1, qualityBudget } as const;
  const reuse = readReuse(settings, defaultReuse);
  // A layer in full is a third of the tiny model: it never pays there.
  const options = { ...reuse.options, fallbacks: false };
  const match = { path: '/v1/chat/completions' };
  return { name: 'tutor', match, reuse: { ...reuse, options } };
};
const send = (content: string, headers = north) =>
  ask(served.url, '/v1/chat/completions', chat(content), headers);
const kvshareOf = ({ body }: Awaited<ReturnType<typeof ask>>) =>
  body.usage.prompt_tokens_details.kvshare as { reason: string; policy: string; outcome: string };
const metric = async (name: string): Promise<number> => {
  const text = await metricsOf(served.url);
  return text
    .split('\n')
    .filter((line) => line.startsWith(name))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
};
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 100 && !(await condition()); i++) await sleep(50);
  expect(await condition()).toBe(true);
}

describe('vector match in the sidecar', () => {
  it('shows similarity and its threshold, and keeps to the one that is asked for', async () => {
    served = await serveTiny({ embedder: wordEmbedder() });
    const text = advice('wash', 'everybody');
    await send(prompt('Ann', text));
    const body = chat(prompt('Benjamin Beaumont', text));
    const plain = await ask(served.url, '/kvshare/plan', body, north);
    expect(plain.body).toMatchObject({
      outcome: 'reused',
      vector_match: { embedder: 'words-in-tests', threshold: 0.7, pairs: 0 },
    });
    const { similarity } = plain.body.donors[0];
    expect(similarity).toBeGreaterThan(0.5);
    expect(similarity).toBeLessThan(1);
    const strict = { ...north, 'x-kvshare-min-similarity': '0.999' };
    const narrowed = await ask(served.url, '/kvshare/plan', body, strict);
    expect(narrowed.body).toMatchObject({ imported_tokens: 0, reason: 'low-similarity' });
    const other = await ask(served.url, '/kvshare/plan', body, bearer('key-south'));
    expect(other.body.donors).toEqual([]);
  });

  it('serves when the embedder does not', async () => {
    const embedder = { ...wordEmbedder(), embed: () => Promise.reject(new Error('down')) };
    served = await serveTiny({ embedder });
    const text = advice('wash', 'everybody');
    await send(prompt('Ann', text));
    const answer = await send(prompt('Benjamin', text));
    expect(kvshareOf(answer)).toMatchObject({ outcome: 'reused' });
    expect(await metric('kvshare_fail_open_total{stage="embed"}')).toBeGreaterThan(0);
    expect(served.log.lines.join()).not.toContain('germs');
  });
});

describe('policy semantic', () => {
  it('is tried in shadow until enough samples agree, then serves', async () => {
    served = await serveTiny({
      embedder: wordEmbedder(),
      routes: [semantic({ top1: 0, kl: 10, samples: 1 })],
    });
    await send(prompt('Ann', advice('wash', 'everybody')));
    const tried = await send(prompt('Ben', advice('clean', 'everyone')));
    expect(kvshareOf(tried).reason).toBe('in-shadow');
    expect(kvshareOf(tried).policy).not.toBe('semantic');
    await until(async () => (await metric('kvshare_guard_samples_total{route="tutor"')) === 1);
    const body = chat(prompt('Cleo', advice('scrub', 'somebody')));
    const plan = await ask(served.url, '/kvshare/plan', body, north);
    expect(plan.body.guard).toMatchObject({ rung: 'asked', compared: 1 });
    const answer = await send(body.messages[0]!.content);
    expect(kvshareOf(answer)).toMatchObject({ policy: 'semantic', outcome: 'reused' });
    const { imports } = plan.body.plan as { imports: { exact: boolean }[] };
    expect(imports.some(({ exact }) => !exact)).toBe(true);
    served.engine.store.checkIntegrity();
  });

  it('never serves where the first tokens do not agree', async () => {
    served = await serveTiny({
      embedder: wordEmbedder(),
      // More than all: no sample can be good enough.
      routes: [semantic({ top1: 1.1, samples: 1 })],
    });
    await send(prompt('Ann', advice('wash', 'everybody')));
    await send(prompt('Ben', advice('clean', 'everyone')));
    await until(async () => (await metric('kvshare_guard_samples_total{route="tutor"')) === 1);
    const answer = await send(prompt('Cleo', advice('scrub', 'somebody')));
    expect(kvshareOf(answer).reason).toBe('in-shadow');
  });
});
