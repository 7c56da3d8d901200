// Comparisons that come to nothing leave the guard blind: an operator must see it, in a metric and as a warning.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { KvShareError } from '../../src/errors.ts';
import type { Runner } from '../../src/protocol/index.ts';
import { defaultReuse, readReuse } from '../../src/routes/index.ts';
import { ask, bearer, metricsOf, serveSidecar } from '../support/served.ts';
import { answering, ScriptedRunner } from '../support/scripted-runner.ts';

const advice = 'wash the hands with warm water when the door is near because germs harm. '.repeat(
  8,
);
const reuse = readReuse(
  { minReuse: 0.1, qualityBudget: { share: 1, kl: 10, top1: 0 } },
  defaultReuse,
);
const routes = [
  { name: 'ward', match: {}, reuse: { ...reuse, options: { ...reuse.options, fallbacks: false } } },
];

class ComparingRunner extends ScriptedRunner {
  compare: NonNullable<Runner['compare']> = () => Promise.resolve(null);
  #stored = 0;

  override async info() {
    const info = await super.info();
    return { ...info, capabilities: { ...info.capabilities, compare: true } };
  }

  override script: typeof answering = async function* (this: ComparingRunner, request, signal) {
    for await (const event of answering(request, signal)) {
      if (event.type === 'end') {
        const { tokens, scope, owner } = request;
        const counts = { exactTokens: tokens.length, promptTokens: tokens.length };
        const segment = `gen-a.${this.#stored++}`;
        yield { type: 'stored', context: { segment, scope, owner, tokens, ...counts } };
      }
      yield event;
    }
  };
}

let served: Awaited<ReturnType<typeof serveSidecar>>;
let runner: ComparingRunner;
const warnings: string[] = [];
const quiet = (): void => undefined;
const warn = (fields: object, message: string): void => {
  warnings.push(JSON.stringify({ ...fields, message }));
};
afterEach(async () => {
  await served.sidecar.close();
  warnings.length = 0;
});

async function serve(compare: ComparingRunner['compare']): Promise<void> {
  runner = new ComparingRunner();
  runner.compare = compare;
  const log = { debug: quiet, info: quiet, warn, error: quiet };
  served = await serveSidecar(runner, { routes, log, random: () => 0 });
}

const send = (card: string) =>
  ask(
    served.url,
    '/v1/chat/completions',
    {
      model: 'tiny',
      max_tokens: 2,
      messages: [{ role: 'user', content: `Card of ${card}\n${advice}\nNow?` }],
    },
    bearer('key-north'),
  );

/** Two requests, the second of which imports what the first has left. */
async function missed(cause: string): Promise<void> {
  await send('Ann');
  await send('Benjamin Beaumont');
  expect(runner.requests.at(-1)!.plan?.imports.some(({ exact }) => !exact)).toBe(true);
  const line = `kvshare_guard_missed_total{cause="${cause}"} 1`;
  for (let i = 0; i < 100 && !(await metricsOf(served.url)).includes(line); i++) await sleep(20);
  expect(await metricsOf(served.url)).toContain(line);
}

describe('a comparison that came to nothing', () => {
  it('because the runner failed is counted, and warned of without any text', async () => {
    await serve(() => Promise.reject(new KvShareError('runner_failed', 'canary germs')));
    await missed('failed');
    expect(warnings).toEqual([
      expect.stringMatching(/"code":"runner_failed".*"comparison".*an idle moment failed/),
    ]);
    expect(warnings.join()).not.toContain('germs');
  });

  it('because the donors are gone is counted', async () => {
    await serve(() => Promise.resolve(null));
    await missed('gone');
    expect(warnings).toEqual([]);
  });

  it('because there was no room for it is counted', async () => {
    await serve(() => Promise.resolve(null));
    const never = new Promise<null>(() => undefined);
    runner.compare = (_, signal) =>
      Promise.race([
        never,
        new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null))),
      ]);
    // One runs for good, eight wait.
    for (let i = 0; i < 11; i++) await send(`Benjamin the ${'long '.repeat(i)}`);
    expect(await metricsOf(served.url)).toMatch(
      /kvshare_guard_missed_total\{cause="crowded"\} [1-9]/,
    );
  });
});
