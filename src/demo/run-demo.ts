// `npm run demo`: starts runner and sidecar as two real processes, plays the story through real HTTP and
// prints, per request, what was reused and how much sooner the first token came than cold in the same run.
import { KvShareError } from '../errors.ts';
import { serveTenants, timedRequest, type Served, type TimedAnswer } from '../harness/index.ts';
import { demoRequests, demoTenants, type DemoRequest } from './demo-requests.ts';

export interface DemoRow extends Omit<TimedAnswer, 'timings'> {
  readonly name: string;
  readonly tenant: string;
  readonly user: string;
  readonly coldTtftMs: number;
}

export interface DemoReport {
  readonly backend: string;
  readonly model: string;
  readonly requests: readonly DemoRow[];
}

export interface DemoOptions {
  readonly serveArgs: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

const MAX_TOKENS = 24;

const keyOf = (tenant: string): string => {
  const found = demoTenants.find(({ name }) => name === tenant);
  if (!found) throw new KvShareError('internal_error', `The demo has no tenant ${tenant}.`);
  return found.key;
};

async function play(served: Served, request: DemoRequest): Promise<DemoRow> {
  const base = { url: served.url, apiKey: keyOf(request.tenant), user: request.user };
  const { messages } = request;
  const cold = await timedRequest({
    ...base,
    messages,
    maxTokens: 1,
    cacheControl: 'bypass, no-store',
  });
  const { timings: _, ...answer } = await timedRequest({
    ...base,
    messages,
    maxTokens: MAX_TOKENS,
  });
  return {
    name: request.name,
    tenant: request.tenant,
    user: request.user,
    ...answer,
    coldTtftMs: cold.ttftMs,
  };
}

const columns = [
  ['who', 18],
  ['prompt', 7],
  ['outcome', 8],
  ['exact', 6],
  ['import', 7],
  ['fresh', 6],
  ['TTFT', 8],
  ['cold', 8],
  ['sooner', 7],
] as const;

function formatRow(row: DemoRow): string[] {
  const numbers = [
    `${row.tenant}/${row.user}`,
    `${row.promptTokens}`,
    row.outcome,
    `${row.exactTokens}`,
    `${row.importedTokens}`,
    `${row.recomputedTokens}`,
    `${row.ttftMs.toFixed(0)} ms`,
    `${row.coldTtftMs.toFixed(0)} ms`,
    `${(row.coldTtftMs / row.ttftMs).toFixed(1)}x`,
  ];
  const cells = numbers.map((text, i) =>
    i === 0 || i === 2 ? text.padEnd(columns[i][1]) : text.padStart(columns[i]![1]),
  );
  const answer = row.text.replaceAll(/\s+/g, ' ').trim().slice(0, 70);
  return [`• ${row.name} (${row.reason})`, `  ${cells.join(' ')}`, `  “${answer}…”`];
}

const header = (): string =>
  `  ${columns.map(([name, width], i) => (i === 0 || i === 2 ? name.padEnd(width) : name.padStart(width))).join(' ')}`;

export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const served = await serveTenants({
    tenants: demoTenants,
    args: options.serveArgs,
    env: options.env,
  });
  const stop = (): void => void served.close();
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    const ready = (await (await served.monitor('/readyz')).json()) as {
      backend: { name: string; description: string };
      model: string;
    };
    options.print(
      `Serving ${ready.model} on ${ready.backend.name} (${ready.backend.description}).`,
    );
    options.print('Each prompt is also sent cold (bypass, no-store) in the same run.\n');
    options.print(header());
    const requests: DemoRow[] = [];
    for (const request of demoRequests()) {
      const row = await play(served, request);
      requests.push(row);
      for (const line of formatRow(row)) options.print(line);
    }
    return { backend: ready.backend.name, model: ready.model, requests };
  } finally {
    options.signal.removeEventListener('abort', stop);
    await served.close();
  }
}
