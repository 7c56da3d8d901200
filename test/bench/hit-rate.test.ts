import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatHitRate, runHitRate } from '../../src/bench/index.ts';
import { KvShareError } from '../../src/errors.ts';
import { loadTokenizer } from '../../src/tokenizer/index.ts';
import { metadataOnly, tinyVocabulary } from '../support/tiny-vocabulary.ts';

const tokenizer = loadTokenizer(metadataOnly(tinyVocabulary()));
type Options = Parameters<typeof runHitRate>[0];

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvshare-hit-rate-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

let files = 0;
/** Writes a trace; strings are lines as they are. */
async function trace(lines: readonly (string | object)[]): Promise<string> {
  const path = join(folder, `trace-${files++}.jsonl`);
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
  await writeFile(path, `${text.join('\n')}\n`);
  return path;
}

interface Asked {
  readonly tenant: string;
  readonly user?: string;
  readonly relation?: string;
  readonly texts: readonly string[];
}

let requests = 0;
const request = ({ tenant, user = 'ann', relation = 'fresh', texts }: Asked) => ({
  id: `r-${requests}`,
  t_ms: 1000 * requests++,
  tenant,
  user,
  relation,
  donors: [],
  messages: texts.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content })),
});

const run = async (traces: readonly string[], options: Partial<Options> = {}) =>
  runHitRate({
    traces,
    policies: ['exact', 'edit-closure'],
    share: 'private',
    fallbacks: true,
    tokenizer,
    meaning: null,
    onProgress: () => undefined,
    ...options,
  });

const rules = [
  'Keep the blue folder beside the door of the reading room and write down every visitor who takes it away over night.',
  'The lamp on the second shelf belongs to the night guard who checks the windows twice and the cellar once before dawn.',
  'Parcels for the garden club stay in the hall until noon and then go down to the shed with the green wooden roof.',
].join('\n');
const asks = ['Who checks the windows?', 'Where do parcels go at noon?'];
const prompt = (card: string, question: string): string => [card, rules, question].join('\n\n');

/** Two users of one tenant behind different cards, then the same text from another tenant. */
const shifted = () => [
  request({ tenant: 'north', texts: [prompt('Card of Ann: bay 3', asks[0]!)] }),
  request({
    tenant: 'north',
    user: 'bob',
    relation: 'shifted_prefix',
    texts: [prompt('Somebody called Bob sits near bay 12 today', asks[1]!)],
  }),
  request({
    tenant: 'south',
    user: 'cyd',
    relation: 'shifted_prefix',
    texts: [prompt('This is Cyd from the other house', asks[1]!)],
  }),
];

describe('runHitRate', () => {
  it('counts what each policy does not have to compute, overall and by relation', async () => {
    const lines = shifted();
    const report = await run([await trace(lines)]);
    expect(report).toMatchObject({ suite: 'hit-rate', share: 'private', fallbacks: true });
    const [result] = report.traces;
    const lengths = lines.map(({ messages }) => tokenizer.encodeChat(messages).tokens.length);
    expect(result).toMatchObject({
      requests: 3,
      promptTokens: lengths.reduce((a, b) => a + b),
      crossTenantImports: 0,
      unequalTokenImports: 0,
      recallAt5: null,
    });
    const { exact, 'edit-closure': closure } = result!.policies;
    expect(exact!.importedTokens).toBe(0);
    expect(closure!.importedTokens).toBeGreaterThan(rules.length * 0.8);
    for (const totals of [exact!, closure!]) {
      const saved = 1 - totals.recomputedTokens / result!.promptTokens;
      expect(totals.hitRate).toBeCloseTo(saved, 12);
      const imported = totals.exactTokens + totals.importedTokens;
      expect(saved * result!.promptTokens).toBeLessThanOrEqual(imported + 1e-9);
    }
    const rates = result!.byRelation['shifted_prefix']!;
    expect(rates['edit-closure']).toBeGreaterThan(2 * rates['exact']!);
    expect(result!.byRelation['fresh']).toEqual({ exact: 0, 'edit-closure': 0 });
    expect(result!.lookupMs.p99).toBeGreaterThanOrEqual(result!.lookupMs.p50);
  });

  it('keeps tenants apart unless everybody shares', async () => {
    const path = await trace(shifted());
    const own = (await run([path])).traces[0]!;
    const all = (await run([path], { share: 'all' })).traces[0]!;
    expect(own.crossTenantImports).toBe(0);
    expect(all.crossTenantImports).toBeGreaterThan(rules.length * 0.8);
    expect(all.policies['edit-closure']!.hitRate).toBeGreaterThan(
      own.policies['edit-closure']!.hitRate,
    );
  });

  it('lets whoever begins with the same tokens go on from approximate KV, within a tenant', async () => {
    const first = prompt('Somebody called Bob sits near bay 12 today', asks[1]!);
    const turn = [first, 'They go down to the shed.', 'Thank you! And who takes the folder?'];
    const bob = { tenant: 'north', user: 'bob' };
    const followUpRate = async (who: { tenant: string; user: string }): Promise<number> => {
      const path = await trace([
        shifted()[0]!,
        request({ ...bob, texts: [first] }),
        request({ ...who, relation: 'follow_up_turn', texts: turn }),
      ]);
      return (await run([path])).traces[0]!.byRelation['follow_up_turn']!['edit-closure']!;
    };
    // Nearly all of the first turn, not only the moved run of Ann's exact prompt.
    const own = await followUpRate(bob);
    expect(own).toBeGreaterThan(0.85);
    expect(await followUpRate({ ...bob, user: 'eve' })).toBe(own);
    expect(await followUpRate({ tenant: 'south', user: 'bob' })).toBe(0);
  });

  it('gives the same figures again, and others without fallbacks', async () => {
    const half = [rules.slice(0, 130), 'x y z. '.repeat(40)].join('\n\n');
    const path = await trace([
      request({ tenant: 'north', texts: [prompt('Card of Ann', asks[0]!)] }),
      request({ tenant: 'north', texts: [`Look here, ${half}`] }),
    ]);
    const figures = async (options: Partial<Options>) =>
      (await run([path], options)).traces.map(({ lookupMs, ...rest }) => {
        expect(lookupMs.p50).toBeGreaterThan(0);
        return rest;
      });
    expect(await figures({})).toEqual(await figures({}));
    const [careful] = await figures({});
    const [careless] = await figures({ fallbacks: false });
    expect(careful!.reasons['edit-closure']).toMatchObject({ 'too-little-reuse': 1 });
    expect(careful!.policies['edit-closure']!.importedTokens).toBe(0);
    expect(careless!.policies['edit-closure']!.importedTokens).toBeGreaterThan(31);
  });

  it('prints a table, with ratios only where there is an exact replay to compare with', async () => {
    const paths = [await trace(shifted()), await trace(shifted())];
    const table = formatHitRate(await run(paths));
    expect(table).toMatch(/edit-closure +\d+\.\d % +\d+\.\d\dx/);
    expect(table).toMatch(/all together +edit-closure +\d+\.\d % +\d+\.\d\dx/);
    const alone = formatHitRate(await run(paths, { policies: ['edit-closure'] }));
    expect(alone).toMatch(/all together +edit-closure +\d+\.\d % +-/);
    expect(alone).not.toMatch(/\dx|NaN/);
  });

  const good = () => shifted()[0]!;
  it.each<[string, () => string | object, RegExp]>([
    ['no JSON', () => '{"id": ', /:2 is not JSON/],
    ['no object', () => 'null', /:2 lacks/],
    ['no tenant', () => ({ ...good(), tenant: undefined }), /:2 lacks/],
    ['a user that is no text', () => ({ ...good(), user: 7 }), /:2 lacks/],
    ['no messages', () => ({ ...good(), messages: [] }), /:2 has messages/],
    [
      'an image',
      () => ({ ...good(), messages: [{ role: 'user', content: [] }] }),
      /:2 has messages/,
    ],
    ['a relation that is no text', () => ({ ...good(), relation: {} }), /:2 has a wrong/],
    ['donors that are no names', () => ({ ...good(), donors: [1] }), /:2 has a wrong/],
  ])('refuses a line with %s and names it', async (_, line, message) => {
    const error: unknown = await run([await trace([good(), line()])]).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(KvShareError);
    expect(error).toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(message),
    });
  });

  it('refuses a trace that is empty or not there', async () => {
    for (const path of [await trace([]), join(folder, 'missing.jsonl')]) {
      await expect(run([path])).rejects.toMatchObject({ code: 'config_invalid' });
    }
  });
});
