// Traces as a collector gets them: `kvshare serve` as two processes, a client that has begun a trace, and a real HTTP
// receiver that reads OTLP.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTrace } from '../../src/telemetry/index.ts';
import { ask, bearer } from '../support/served.ts';
import { writeTinyFile } from '../support/tiny-file.ts';

interface OtlpSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
  readonly status: { readonly code: number };
}
interface Received extends OtlpSpan {
  readonly service: string;
}

const CANARY = 'canary-51e0c2';
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CLIENT_SPAN = 'b7ad6b7169203331';

const main = new URL('../../src/main.ts', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'kvshare-traces-'));
const bodies: string[] = [];
let collector: Server;
let child: ChildProcess;
let url: string;

const attribute = ({ attributes }: OtlpSpan, name: string): unknown => {
  const value = attributes.find(({ key }) => key === name)?.value;
  return value && Object.values(value)[0];
};

function received(): Received[] {
  const documents = bodies.map(
    (body) =>
      JSON.parse(body) as {
        resourceSpans: {
          resource: { attributes: OtlpSpan['attributes'] };
          scopeSpans: { spans: OtlpSpan[] }[];
        }[];
      },
  );
  return documents.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ resource, scopeSpans }) => {
      const service = Object.values(
        resource.attributes.find(({ key }) => key === 'service.name')!.value,
      )[0] as string;
      return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, service })));
    }),
  );
}

beforeAll(async () => {
  collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/v1/traces') bodies.push(Buffer.concat(chunks).toString());
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => collector.once('listening', resolve));
  const { port } = collector.address() as AddressInfo;
  const model = join(folder, 'tiny.gguf');
  writeTinyFile(model, 1024);
  const config = join(folder, 'kvshare.yaml');
  const telemetry = { otlp: `http://127.0.0.1:${port}` };
  const tenants = [{ name: 'northgate', keys: ['key-north'] }];
  writeFileSync(config, JSON.stringify({ tenants, telemetry, embedder: { kind: 'off' } }));
  const settings = ['--config', config, '--model', model, '--backend', 'cpu', '--port', '0'];
  child = spawn(
    process.execPath,
    ['--import', 'tsx', main, 'serve', ...settings, '--kv-bytes', '64MiB'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  url = await new Promise((resolve, reject) => {
    let stderr = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      const ready = /ready at (http:\S+)/.exec(stderr);
      if (ready) resolve(ready[1]!);
    });
    child.once('exit', () => reject(new Error(stderr.slice(-800))));
  });
}, 120_000);

afterAll(() => {
  child.kill('SIGKILL');
  collector.close();
  rmSync(folder, { recursive: true });
});

describe('traces', () => {
  it('continue the client’s through both processes, with tokens and times, without text', async () => {
    const context = `The ward keeps ${CANARY} in the second drawer. `.repeat(6);
    const request = (question: string) => ({
      model: 'tiny',
      max_tokens: 3,
      messages: [{ role: 'user', content: `${context}\n\n${question}` }],
    });
    const headers = { ...bearer('key-north'), traceparent: `00-${TRACE}-${CLIENT_SPAN}-01` };
    await ask(url, '/v1/chat/completions', request('Where is it?'), bearer('key-north'));
    const answered = await ask(url, '/v1/chat/completions', request('Who has it?'), headers);
    expect(answered.status).toBe(200);
    await ask(url, '/v1/chat/completions', { model: 'other' }, bearer('key-north'));
    // What is left is sent before the processes end.
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;

    const spans = received();
    const own = spans.filter(({ traceId }) => traceId === TRACE);
    const named = (name: string): Received => own.find((span) => span.name === name)!;
    const root = named('chat tiny');
    expect(own.map(({ name, service }) => `${service} ${name}`).sort()).toEqual([
      'kvshare-runner kvshare.decode',
      'kvshare-runner kvshare.generate',
      'kvshare-runner kvshare.import',
      'kvshare-runner kvshare.prefill',
      'kvshare-runner kvshare.queue',
      'kvshare-sidecar chat tiny',
      'kvshare-sidecar kvshare.plan',
    ]);
    expect(root.parentSpanId).toBe(CLIENT_SPAN);
    expect(named('kvshare.plan').parentSpanId).toBe(root.spanId);
    const generate = named('kvshare.generate');
    expect(generate.parentSpanId).toBe(root.spanId);
    for (const part of ['queue', 'import', 'prefill', 'decode']) {
      const { parentSpanId, startTimeUnixNano, endTimeUnixNano } = named(`kvshare.${part}`);
      expect(parentSpanId).toBe(generate.spanId);
      expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano));
    }

    const { usage } = answered.body;
    const { kvshare, cached_tokens: cached } = usage.prompt_tokens_details;
    const expected = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'kvshare',
      'gen_ai.request.model': 'tiny',
      'gen_ai.request.max_tokens': 3,
      'gen_ai.usage.input_tokens': usage.prompt_tokens,
      'gen_ai.usage.output_tokens': usage.completion_tokens,
      'gen_ai.usage.cache_read.input_tokens': cached,
      'kvshare.outcome': kvshare.outcome,
      'kvshare.reason': kvshare.reason,
      'kvshare.imported_tokens': kvshare.imported_tokens,
      'kvshare.route': 'default',
      'kvshare.request_id': answered.headers.get('x-request-id'),
    };
    for (const [name, value] of Object.entries(expected)) {
      expect([name, attribute(root, name)]).toEqual([name, value]);
    }
    expect(cached).toBeGreaterThan(50);

    // A refused request is a span, too: with its code, and not as a fault of ours.
    const refused = spans.find((span) => attribute(span, 'error.type') === 'invalid_request')!;
    expect(refused.status.code).toBe(0);
    expect(spans.filter(({ name }) => name === 'chat tiny')).toHaveLength(2);

    expect(bodies.join()).not.toContain(CANARY);
    expect(bodies.join()).not.toMatch(/northgate|key-north/);
  });

  it('cost nothing measurable where nobody listens', () => {
    const rounds = 20_000;
    const start = performance.now();
    for (let i = 0; i < rounds; i++) {
      const trace = startTrace('kvshare.request', { traceparent: `00-${TRACE}-${CLIENT_SPAN}-01` });
      expect(trace.isRecording).toBe(false);
      // What came in goes on, so that a runner elsewhere can still be part of it.
      if (i === 0) expect(trace.traceparent).toBe(`00-${TRACE}-${CLIENT_SPAN}-01`);
      trace.end();
    }
    // expect() itself takes most of it; a request takes milliseconds.
    expect((performance.now() - start) / rounds).toBeLessThan(0.5);
  });
});
