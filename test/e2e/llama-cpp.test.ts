// What an operator does: llama.cpp's server, `kvshare sidecar --adapter llama-cpp` in front of it, two tenants.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  describeWithLlamaServer,
  startTinyLlama,
  type TinyLlama,
} from '../support/llama-server.ts';
import { ask, bearer, METRICS_KEY, monitor, tenants } from '../support/served.ts';
import { startSidecarProcess } from '../support/sidecar-process.ts';

describeWithLlamaServer('kvshare sidecar --adapter llama-cpp', () => {
  let server: TinyLlama;
  let sidecar: Awaited<ReturnType<typeof startSidecarProcess>>;

  beforeAll(async () => {
    server = await startTinyLlama();
    const adapter = { name: 'llama-cpp', urls: [server.url], folder: server.folder };
    sidecar = await startSidecarProcess({ tenants, adapter, metrics: { key: METRICS_KEY } }, [
      '--model',
      server.modelPath,
    ]);
  });

  afterAll(async () => {
    await sidecar.close();
    await server.close();
  });

  const complete = async (key: string, question: string) => {
    const content = `${'Wash hands before the visit. '.repeat(6)}\n\n${question}`;
    const body = { model: 'default', messages: [{ role: 'user', content }], max_tokens: 4 };
    const answer = await ask(sidecar.url, '/v1/chat/completions', body, bearer(key));
    expect(answer.status).toBe(200);
    return answer.body.usage.prompt_tokens_details;
  };

  it('goes on from what the tenant asked before, and never from what another asked', async () => {
    expect(await complete('key-north', 'When?')).toMatchObject({ cached_tokens: 0 });
    const again = await complete('key-north', 'How long?');
    expect(again.cached_tokens).toBeGreaterThan(100);
    expect(again.kvshare).toMatchObject({ outcome: 'exact', imported_tokens: 0 });
    expect(await complete('key-south', 'How long?')).toMatchObject({ cached_tokens: 0 });
    const ready = await monitor(sidecar.url, '/readyz');
    expect(await ready.json()).toMatchObject({ status: 'ready', backend: { name: 'llama-cpp' } });
  });
});
