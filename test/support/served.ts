// A real sidecar on a real port before a real (tiny, random) engine behind the real runner port: three HTTP
// hops as in production, in one process.
import { randomUUID } from 'node:crypto';
import type { Runner } from '../../src/protocol/index.ts';
import type { ReuseOptions } from '../../src/reuse/index.ts';
import { defaultReuse, type Route } from '../../src/routes/index.ts';
import { RunnerClient } from '../../src/runner/client.ts';
import { serveRunner } from '../../src/runner/server.ts';
import { createSidecar, type SidecarOptions } from '../../src/sidecar/index.ts';
import type { Log } from '../../src/telemetry/index.ts';
import { loadTokenizer } from '../../src/tokenizer/index.ts';
import { tinyEngine } from './tiny-engine.ts';
import { metadataOnly, tinyVocabulary } from './tiny-vocabulary.ts';

export const CONTEXT_LENGTH = 2048;
export const tinyTokenizer = loadTokenizer(metadataOnly(tinyVocabulary()));

export const tenants = [
  { name: 'northgate', keys: ['key-north'] },
  { name: 'southside', keys: ['key-south'] },
];

export const METRICS_KEY = 'a-metrics-key-for-tests';

/** Keeps every line, so that tests can look for what must not be there. */
export function memoryLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (fields: object, message: string): void => {
    lines.push(JSON.stringify({ ...fields, message }));
  };
  return { lines, debug: keep, info: keep, warn: keep, error: keep };
}

export async function serveSidecar(
  runner: Runner,
  overrides: Partial<Omit<SidecarOptions, 'settings'>> & {
    reuse?: Partial<ReuseOptions>;
    routes?: readonly Route[];
  } = {},
) {
  const { reuse, routes = [], ...rest } = overrides;
  const log = memoryLog();
  const sidecar = createSidecar({
    runner,
    tokenizer: tinyTokenizer,
    modelId: 'tiny',
    modelAliases: ['default'],
    tenants,
    settings: {
      reuse: { ...defaultReuse, options: { ...defaultReuse.options, ...reuse } },
      routes,
    },
    log,
    metricsKey: METRICS_KEY,
    newId: randomUUID,
    now: () => performance.now(),
    ...rest,
  });
  const { port } = await sidecar.listen(0, '127.0.0.1');
  return { sidecar, log, url: `http://127.0.0.1:${port}` };
}

/** Tiny engine → runner server → client → sidecar. */
export async function serveTiny(overrides: Parameters<typeof serveSidecar>[1] = {}) {
  const { engine, tf } = await tinyEngine({ vocabulary: 288, contextLength: CONTEXT_LENGTH });
  const server = await serveRunner(engine, { port: 0, host: '127.0.0.1' });
  const client = new RunnerClient(`http://127.0.0.1:${server.port}`);
  const served = await serveSidecar(client, overrides);
  return {
    ...served,
    engine,
    tf,
    server,
    close: async () => {
      await served.sidecar.close();
      await client.close();
      await server.close();
    },
  };
}

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- a client sees JSON
}

export async function ask(
  url: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Asked> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? null : (JSON.parse(text) as unknown),
  };
}

/** GET of what needs the metrics key. */
export const monitor = (
  url: string,
  path: '/metrics' | '/readyz' | '/startupz',
): Promise<Response> => fetch(`${url}${path}`, { headers: bearer(METRICS_KEY) });

/** A worker that computes for seconds lets idle connections expire: the next request may find its own just closed. */
export async function metricsOf(url: string): Promise<string> {
  const read = async (): Promise<string> => (await monitor(url, '/metrics')).text();
  return read().catch(read);
}

export const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });
