// Break-even through real HTTP: a route where reuse loses stops trying, says so, and is probed by requests alone.
import { afterEach, describe, expect, it } from '@jest/globals';
import { receiptOf, ScriptedRunner } from '../support/scripted-runner.ts';
import { ask, bearer, metricsOf, serveSidecar } from '../support/served.ts';

/** Recorded losses that are needed, and how often a paused route is tried. */
const NEEDED = 8;
const PROBE_EVERY = 20;

let served: Awaited<ReturnType<typeof serveSidecar>>;
afterEach(() => served.sidecar.close());

const north = bearer('key-north');
const guideline = 'Wash both hands before you touch the dressing of a patient. '.repeat(6);
const chat = (card: string) => ({
  model: 'tiny',
  max_tokens: 1,
  messages: [{ role: 'user', content: `Card of ${card}.\n\n${guideline}\n\nWhat now?` }],
});
const send = async (card: string) => {
  const { body } = await ask(served.url, '/v1/chat/completions', chat(card), north);
  return body.usage.prompt_tokens_details.kvshare as { reason: string; imported_tokens: number };
};
const explain = async (card: string) =>
  (await ask(served.url, '/kvshare/plan', chat(card), north)).body;

/** Imports what it is told to, and takes a minute over it; stores the first prompt alone. */
function slowRunner(): ScriptedRunner {
  const runner = new ScriptedRunner();
  runner.script = async function* (request) {
    const { tokens, scope, owner, plan } = request;
    const imports = (plan?.imports ?? []).filter(({ exact }) => !exact);
    const importedTokens = imports.reduce((sum, { length }) => sum + length, 0);
    const timings = { queueMs: 0, importMs: 60_000, prefillMs: 1, overheadMs: 0 };
    yield { type: 'receipt', receipt: receiptOf(request, { importedTokens, timings }) };
    yield { type: 'token', id: 60 };
    if (runner.requests.length === 1) {
      const counts = { exactTokens: tokens.length, promptTokens: tokens.length };
      yield { type: 'stored', context: { segment: 'g.1', scope, owner, tokens, ...counts } };
    }
    yield { type: 'end', reason: 'length' };
  };
  return runner;
}

describe('break-even', () => {
  it('pauses, shows it in reason, explain and metrics, and probes whatever is explained meanwhile', async () => {
    served = await serveSidecar(slowRunner(), { reuse: { minReuse: 0.1 } });
    await send('Ann');
    for (let i = 0; i < NEEDED; i++) {
      expect(await send(`Benjamin the ${i}th`)).toMatchObject({ reason: 'full' });
    }
    const paused = await explain('Cleo of bed nine');
    expect(paused).toMatchObject({
      reason: 'route-paused',
      imported_tokens: 0,
      learned: { paused: true, samples: NEEDED },
    });
    expect(paused.learned.medianSavedMs).toBeLessThan(0);
    const reasons: string[] = [];
    for (let i = 0; i < PROBE_EVERY; i++) {
      // An operator who looks on before each request.
      const foreseen = (await explain('Cleo of bed nine')) as { reason: string };
      const { reason } = await send('Cleo of bed nine');
      expect(reason).toBe(foreseen.reason);
      reasons.push(reason);
    }
    expect(reasons.filter((reason) => reason === 'full')).toHaveLength(1);
    expect(reasons.at(-1)).toBe('full');
    const metrics = await metricsOf(served.url);
    const others = `${PROBE_EVERY - 1}`;
    expect(metrics).toContain(`kvshare_plan_reasons_total{reason="route-paused"} ${others}`);
    expect(metrics).toMatch(
      new RegExp(`^kvshare_paused_requests_total\\{route="[^"]+"\\} ${others}$`, 'm'),
    );
  });
});
