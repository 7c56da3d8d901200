// Reuse was given up, the answer was not: listeners hear at which stage and why, for every cause there is.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { KvShareError, type ErrorCode } from '../../src/errors.ts';
import { tenantScope } from '../../src/match/index.ts';
import type { KvShareOptions } from '../../src/mount/index.ts';
import type { DegradedReason } from '../../src/protocol/index.ts';
import type { FallbackEvent } from '../../src/sidecar/index.ts';
import { mounted, question, serveApp } from '../support/mounted.ts';
import { answering, receiptOf, storing } from '../support/scripted-runner.ts';
import { ask } from '../support/served.ts';

const long = question('The same guideline for every patient of the ward. '.repeat(12));
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A mount whose runner has stored the prompt, and what its listeners hear from then on. */
async function withDonor(options: Partial<KvShareOptions> = {}) {
  const parts = mounted({ identify: () => ({ tenant: 'ward' }), ...options });
  const { kv, runner } = parts;
  const { url, server } = await serveApp(kv.listener('/v1'));
  open.push(
    () => server.closeAllConnections(),
    () => server.close(),
    () => kv.close(),
  );
  const heard: FallbackEvent[] = [];
  kv.on('fallback', (event) => heard.push(event));
  runner.script = storing('gen-a.0');
  const send = async () => {
    const { status, body } = await ask(url, '/v1/chat/completions', long, { 'x-request-id': 'r1' });
    expect([status, body.choices[0].message.content]).not.toEqual([200, '']);
    return body.usage.prompt_tokens_details.kvshare as { outcome: string; reason: string };
  };
  expect((await send()).outcome).toBe('cold');
  expect(heard).toEqual([]);
  return { ...parts, send, heard };
}

const by = { requestId: 'r1', route: 'default', tenant: 'ward' };

describe('the fallback event', () => {
  it.each<ErrorCode>([
    'plan_invalid',
    'plan_version_unsupported',
    'plan_fingerprint_mismatch',
    'plan_unknown_segment',
    'plan_out_of_bounds',
    'plan_unsupported',
  ])('runner: %s, and the prompt is computed cold', async (code) => {
    const { runner, send, heard } = await withDonor();
    runner.script = async function* (request, signal) {
      if (request.plan) throw new KvShareError(code, 'secret');
      yield* answering(request, signal);
    };
    expect((await send()).outcome).toBe('cold');
    expect(heard).toEqual([{ ...by, stage: 'runner', cause: code }]);
  });

  it.each<DegradedReason>(['segment-evicted', 'stale-generation', 'import-failed'])(
    'receipt: %s, when the runner could not do all of the plan',
    async (degraded) => {
      const { runner, send, heard } = await withDonor();
      runner.script = async function* (request, signal) {
        for await (const event of answering(request, signal)) {
          const change = { degraded, missingSegments: ['gen-a.0'] };
          if (event.type !== 'receipt') yield event;
          else yield { type: 'receipt', receipt: receiptOf(request, change) };
        }
      };
      expect((await send()).reason).toBe('runner-degraded');
      expect(heard).toEqual([{ ...by, stage: 'receipt', cause: degraded }]);
    },
  );

  it('plan: planner-error, when planning throws', async () => {
    const { runner, kv, send, heard } = await withDonor();
    const info = await runner.info();
    const broken = Object.defineProperty({}, 'prefillFixedMs', {
      get: () => {
        throw new Error('secret');
      },
    });
    runner.info = () => Promise.resolve({ ...info, speeds: broken as never });
    const becomes = async (status: string): Promise<void> => {
      for (let i = 0; i < 200 && kv.health().status !== status; i++) await sleep(25);
    };
    runner.crash();
    await becomes('unavailable');
    runner.up = true;
    await becomes('ready');
    runner.script = storing('gen-a.1');
    await send();
    expect(await send()).toMatchObject({ outcome: 'cold', reason: 'planner-error' });
    expect(heard.at(-1)).toEqual({ ...by, stage: 'plan', cause: 'planner-error' });
    expect(JSON.stringify(heard)).not.toContain('secret');
  });
});

describe('an identify that does not settle', () => {
  it.each<[string, NonNullable<KvShareOptions['identify']>]>([
    ['ever', () => new Promise(() => undefined)],
    ['in time', () => sleep(500, { tenant: 'ward' })],
  ])('%s: the request is private and cold, not stored, and says so', async (_, identify) => {
    let isSlow = false;
    const { runner, send, heard, log } = await withDonor({
      identify: (request) => (isSlow ? identify(request) : { tenant: 'ward' }),
      identifyTimeoutMs: 40,
    });
    isSlow = true;
    const startedAt = performance.now();
    expect(await send()).toMatchObject({ outcome: 'cold', reason: 'no-donor' });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(39);
    expect(runner.requests.at(-1)).toMatchObject({ store: false, owner: null, plan: null });
    expect(runner.requests.at(-1)!.scope).not.toBe(tenantScope('ward', null));
    expect(log.lines.filter((line) => line.includes('"TimeoutError"'))).toHaveLength(1);
    // Nothing was wrong with reuse.
    expect(heard).toEqual([]);
  });

  it('waits for promises of any library', async () => {
    const thenable = {
      then: (resolve: (caller: object) => void) => void setTimeout(() => resolve({ tenant: 'w' })),
    };
    const { runner, send } = await withDonor({ identify: () => thenable as never });
    await send();
    expect(runner.requests.at(-1)).toMatchObject({ scope: tenantScope('w', null) });
    expect(runner.requests.at(-1)!.plan).not.toBeNull();
  });
});
