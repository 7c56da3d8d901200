// Numbers that tell of everybody's requests are nothing for a tenant (S3): metrics and details of readiness need a key.
import { afterEach, describe, expect, it } from '@jest/globals';
import { bearer, METRICS_KEY, serveSidecar, tenants } from '../support/served.ts';
import { ScriptedRunner } from '../support/scripted-runner.ts';

let served: Awaited<ReturnType<typeof serveSidecar>>;
let runner: ScriptedRunner;
async function serve(overrides: Parameters<typeof serveSidecar>[1] = {}): Promise<void> {
  runner = new ScriptedRunner();
  served = await serveSidecar(runner, overrides);
}
afterEach(() => served.sidecar.close());

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${served.url}${path}`, { headers });
  return { status: response.status, text: await response.text() };
}
const codeOf = ({ text }: { text: string }): string =>
  (JSON.parse(text) as { error: { code: string } }).error.code;

describe('/metrics on the tenants’ port', () => {
  it('are opened by their own key and by nothing else', async () => {
    await serve();
    const open = await get('/metrics', bearer(METRICS_KEY));
    expect([open.status, open.text]).toEqual([200, expect.stringContaining('kvshare_runner_up 1')]);
    for (const [headers, status, code] of [
      [bearer('key-north'), 403, 'forbidden'],
      [bearer(`${METRICS_KEY}x`), 401, 'invalid_api_key'],
      [{ authorization: `Basic ${METRICS_KEY}` }, 401, 'invalid_api_key'],
      [{}, 401, 'invalid_api_key'],
    ] as const) {
      const closed = await get('/metrics', headers);
      expect([closed.status, codeOf(closed)]).toEqual([status, code]);
    }
  });

  it('are closed to everybody while there are tenants and no key', async () => {
    await serve({ metricsKey: undefined as never });
    for (const headers of [{}, bearer('key-north'), bearer('undefined'), bearer('null')]) {
      const closed = await get('/metrics', headers);
      expect([closed.status, codeOf(closed)]).toEqual([403, 'forbidden']);
      expect(closed.text).toContain('KVSHARE_METRICS_KEY');
    }
  });

  it('are open where there are no tenants', async () => {
    await serve({ metricsKey: undefined as never, tenants: [] });
    expect((await get('/metrics')).status).toBe(200);
    expect((await get('/readyz')).text).toContain('"donors":0');
  });
});

describe('probes', () => {
  it('answer anybody, and say no more than that', async () => {
    await serve();
    expect((await get('/livez')).status).toBe(200);
    expect(await get('/startupz')).toEqual({ status: 200, text: '{"status":"started"}' });
    for (const headers of [{}, ...tenants.map(({ keys }) => bearer(keys[0]!))]) {
      expect(await get('/readyz', headers)).toEqual({ status: 200, text: '{"status":"ready"}' });
    }
    expect((await get('/readyz', bearer(METRICS_KEY))).text).toContain('"inFlight":0');
    runner.crash();
    for (let i = 0; i < 100 && (await get('/readyz')).status === 200; i++);
    expect(await get('/readyz')).toEqual({ status: 503, text: '{"status":"unavailable"}' });
    expect((await get('/readyz', bearer(METRICS_KEY))).text).toContain('runner is not reachable');
  });
});
