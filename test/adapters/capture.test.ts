// What the adapter for llama.cpp makes of few slots: nearly all that exact prefixes would save if every prompt were kept for
// ever, through a real sidecar, in front of the real server (the tiny model: how much is found does not depend on it).
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { loadAdapter } from '../../adapters/registry.ts';
import { unlimitedHitRate } from '../../src/bench/adapters/unlimited.ts';
import { clinicTrace } from '../../src/bench/clinic-trace.ts';
import { readTrace, type TraceRequest } from '../../src/bench/trace-file.ts';
import { timedRequest } from '../../src/harness/index.ts';
import type { Runner } from '../../src/protocol/index.ts';
import {
  adapterOptions,
  describeWithLlamaServer,
  startTinyLlama,
  type TinyLlama,
} from '../support/llama-server.ts';
import { serveSidecar, tinyTokenizer } from '../support/served.ts';

const TRACES = new URL('../../../shared/eval/traces/', import.meta.url).pathname;
const traceIt = existsSync(TRACES) ? it : it.skip;

/** Bytes are tokens here: every message is shortened to what the tiny model reads in a moment. */
const shortened = (trace: readonly TraceRequest[]): TraceRequest[] =>
  trace.map((request) => ({
    ...request,
    messages: request.messages.map(({ role, content }) => ({
      role,
      content: `${content.slice(0, 180)}${content.slice(-60)}`,
    })),
  }));

describeWithLlamaServer('llama.cpp’s server with two slots, behind the adapter', () => {
  let server: TinyLlama;
  let runner: Runner;
  let sidecar: Awaited<ReturnType<typeof serveSidecar>>;
  const names = ['northgate', 'southside', 'harbour', 'sparrow-school', 'sparrow-app'];

  beforeAll(async () => {
    server = await startTinyLlama({ contextPerSlot: 2048 });
    const options = adapterOptions([server.url]);
    const store = { ...options.store, folder: server.folder };
    runner = await (await loadAdapter('llama-cpp'))({ ...options, store });
    const tenants = names.map((name) => ({ name, keys: [`key-${name}`] }));
    sidecar = await serveSidecar(runner, { tenants });
  });
  afterAll(async () => {
    await sidecar.sidecar.close();
    await runner.close();
    await server.close();
  });

  async function captured(whole: readonly TraceRequest[]): Promise<number> {
    const trace = shortened(whole);
    let [exact, all] = [0, 0];
    for (const { tenant, user, messages } of trace) {
      const asked = { url: sidecar.url, apiKey: `key-${tenant}`, user, messages, maxTokens: 2 };
      const { exactTokens, promptTokens } = await timedRequest(asked);
      exact += exactTokens;
      all += promptTokens;
    }
    expect(all).toBeGreaterThan(5_000);
    return exact / all / (await unlimitedHitRate(trace, tinyTokenizer));
  }

  it('captures nine tenths of it on the built-in clinic', async () => {
    expect(await captured(clinicTrace(40))).toBeGreaterThanOrEqual(0.9);
  });

  traceIt.each(['clinic', 'chat'])('captures nine tenths of it on the trace %s', async (name) => {
    const trace = await readTrace(`${TRACES}${name}.jsonl`);
    expect(await captured(trace.slice(0, 60))).toBeGreaterThanOrEqual(0.9);
  });
});
