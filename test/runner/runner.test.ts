import { describe, expect, it } from '@jest/globals';
import { RunnerClient } from '../../src/runner/client.ts';
import { serveRunner } from '../../src/runner/server.ts';
import { tinyEngine } from '../support/tiny-engine.ts';
import { runnerContract } from './runner-contract.ts';

describe('the engine, in process', () => {
  runnerContract(async () => {
    const { engine } = await tinyEngine();
    return { runner: engine, close: () => engine.close() };
  });
});

describe('the engine, over HTTP', () => {
  runnerContract(async () => {
    const { engine } = await tinyEngine();
    const server = await serveRunner(engine, { port: 0, host: '127.0.0.1' });
    const runner = new RunnerClient(`http://127.0.0.1:${server.port}`);
    return {
      runner,
      close: async () => {
        await runner.close();
        await server.close();
      },
    };
  });

  it('is unavailable when nobody listens, and broken when it falls silent', async () => {
    const gone = new RunnerClient('http://127.0.0.1:9');
    await expect(gone.info()).rejects.toMatchObject({ code: 'runner_unavailable' });
    await gone.close();

    const { createServer } = await import('node:http');
    const silent = createServer((_request, response) => {
      response.writeHead(200);
      response.write('{"type":"hello","generation":"g","contexts":[]}\n');
    }).listen(0);
    const { port } = silent.address() as { port: number };
    const client = new RunnerClient(`http://127.0.0.1:${port}`, { idleMs: 200 });
    const events: unknown[] = [];
    const watch = async (): Promise<void> => {
      for await (const event of client.watch(new AbortController().signal)) events.push(event);
    };
    await expect(watch()).rejects.toMatchObject({ code: 'runner_failed' });
    expect(events).toHaveLength(1);
    await client.close();
    silent.closeAllConnections();
    silent.close();
  });
});
