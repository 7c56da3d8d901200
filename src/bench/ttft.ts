// `bench ttft`: cold, exact and reused time to first token of the same prompts, alternating in one run,
// through the sidecar, timed at the client. Receipts are asserted: a measurement of something else than
// its name says is an error, not a number.
import { KvShareError } from '../errors.ts';
import { serveTenants, timedRequest, type Served, type TimedAnswer } from '../harness/index.ts';
import { median, percentile } from './statistics.ts';
import { ttftCase, type TtftCase, type TtftFamily } from './ttft-cases.ts';
import type { ServeOptions } from './serve-options.ts';

export interface TtftOptions extends ServeOptions {
  readonly families: readonly TtftFamily[];
  readonly tokens: readonly number[];
  readonly repeat: number;
}

export interface TtftResult {
  readonly family: TtftFamily;
  readonly promptTokens: number;
  /** Of the reuse requests, from the receipt. */
  readonly outcome: string;
  readonly reason: string;
  readonly coldMs: number;
  readonly exactMs: number;
  readonly reuseMs: number;
  /** Slowest minus fastest of the repeats over the median, cold and reuse. */
  readonly coldSpread: number;
  readonly reuseSpread: number;
  readonly speedup: number;
  readonly chargedRecompute: number;
  readonly efficiency: number;
  readonly addedMs?: number;
  readonly breakdown: TtftBreakdown;
}

/** Milliseconds of the reuse requests, from receipts. */
export interface TtftBreakdown {
  readonly importMs: number;
  readonly prefillMs: number;
  /** Our own code: import, masks, gathers, bookkeeping. */
  readonly overheadMs: number;
  readonly overheadShare: number;
  readonly coldOverheadShare: number;
}

export interface TtftReport {
  readonly suite: 'ttft';
  readonly backend: string;
  readonly repeat: number;
  readonly cases: readonly TtftResult[];
}

const MAX_TOKENS = 2;

interface Tenants {
  /** Holds the donors only. */
  readonly reuse: { name: string; key: string };
  /** Holds the target as well. */
  readonly exact: { name: string; key: string };
}

const tenantsOf = (at: number): Tenants => ({
  reuse: { name: `reuse-${at}`, key: `key-reuse-${at}` },
  exact: { name: `exact-${at}`, key: `key-exact-${at}` },
});

function assertOutcome(answer: TimedAnswer, expected: readonly string[], what: string): void {
  if (expected.includes(answer.outcome)) return;
  throw new KvShareError(
    'internal_error',
    `${what}: the receipt says ${answer.outcome} (${answer.reason}), not ${expected.join(' or ')}.`,
  );
}

/** A fallback of the planner is a result; a hit that the family does not have is a broken measurement. */
function assertReuse(family: TtftFamily, answer: TimedAnswer): void {
  if (family === 'unrelated') assertOutcome(answer, ['cold', 'exact'], `${family} reuse`);
  else assertOutcome(answer, ['exact', 'reused'], `${family} reuse`);
  if (answer.exactTokens >= answer.promptTokens - 1) {
    throw new KvShareError('internal_error', `${family}: an accidental exact hit.`);
  }
}

async function measureCase(served: Served, item: TtftCase, tenants: Tenants, repeat: number) {
  const { family, target } = item;
  const ask = (
    apiKey: string,
    messages: TtftCase['target'],
    cacheControl?: string,
  ): Promise<TimedAnswer> =>
    timedRequest({
      url: served.url,
      apiKey,
      messages,
      maxTokens: MAX_TOKENS,
      ...(cacheControl !== undefined && { cacheControl }),
    });
  for (const donor of item.donors) await ask(tenants.reuse.key, donor);
  await ask(tenants.exact.key, target);
  const rounds: { cold: TimedAnswer; exact: TimedAnswer; reuse: TimedAnswer }[] = [];
  for (let round = 0; round < repeat; round++) {
    const cold = await ask(tenants.reuse.key, target, 'bypass, no-store');
    const reuse = await ask(tenants.reuse.key, target, 'no-store');
    const exact = await ask(tenants.exact.key, target, 'no-store');
    assertOutcome(cold, ['cold'], `${family} cold`);
    assertReuse(family, reuse);
    assertOutcome(exact, ['exact'], `${family} exact`);
    rounds.push({ cold, exact, reuse });
  }
  return rounds;
}

const spread = (samples: readonly number[]): number =>
  (percentile(samples, 1) - percentile(samples, 0)) / median(samples);

function summarise(item: TtftCase, rounds: Awaited<ReturnType<typeof measureCase>>): TtftResult {
  const times = (name: 'cold' | 'exact' | 'reuse'): number[] => rounds.map((r) => r[name].ttftMs);
  const [cold, reuse] = [times('cold'), times('reuse')];
  const last = rounds.at(-1)!;
  const coldMs = median(cold);
  const reuseMs = median(reuse);
  const speedup = coldMs / reuseMs;
  const of = (name: 'cold' | 'reuse', part: keyof TimedAnswer['timings']): number =>
    median(rounds.map((r) => r[name].timings[part]));
  const share = (name: 'cold' | 'reuse'): number =>
    of(name, 'overheadMs') / (of(name, 'importMs') + of(name, 'prefillMs'));
  return {
    family: item.family,
    promptTokens: last.reuse.promptTokens,
    outcome: last.reuse.outcome,
    reason: last.reuse.reason,
    coldMs,
    exactMs: median(times('exact')),
    reuseMs,
    coldSpread: spread(cold),
    reuseSpread: spread(reuse),
    speedup,
    chargedRecompute: last.reuse.chargedRecompute,
    efficiency: speedup * last.reuse.chargedRecompute,
    ...(item.family === 'unrelated' && { addedMs: reuseMs - coldMs }),
    breakdown: {
      importMs: of('reuse', 'importMs'),
      prefillMs: of('reuse', 'prefillMs'),
      overheadMs: of('reuse', 'overheadMs'),
      overheadShare: share('reuse'),
      coldOverheadShare: share('cold'),
    },
  };
}

export async function runTtft(options: TtftOptions): Promise<TtftReport> {
  const items = options.tokens.flatMap((tokens) =>
    options.families.map((family) => ttftCase(family, tokens)),
  );
  const tenants = items.map((_, at) => tenantsOf(at));
  const served = await serveTenants({
    tenants: tenants.flatMap(({ reuse, exact }) => [reuse, exact]),
    args: options.serveArgs,
    env: options.env,
  });
  try {
    const backend = await servedBackend(served);
    const cases: TtftResult[] = [];
    for (const [at, item] of items.entries()) {
      options.onProgress(at, items.length, `${item.family} at ${item.tokens} tokens`);
      cases.push(summarise(item, await measureCase(served, item, tenants[at]!, options.repeat)));
    }
    options.onProgress(items.length, items.length, 'done');
    return { suite: 'ttft', backend, repeat: options.repeat, cases };
  } finally {
    await served.close();
  }
}

async function servedBackend(served: Served): Promise<string> {
  const response = await served.monitor('/readyz');
  const body = (await response.json()) as { backend?: { name?: string } };
  return body.backend?.name ?? 'unknown';
}

export function formatTtft(report: TtftReport): string {
  const ms = (value: number): string => value.toFixed(0).padStart(7);
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`.padStart(7);
  const head =
    'family                 tokens    cold   exact   reuse  faster charged   own*  spread cold/reuse  outcome';
  const rows = report.cases.map((c) =>
    [
      c.family.padEnd(22),
      `${c.promptTokens}`.padStart(6),
      ms(c.coldMs),
      ms(c.exactMs),
      ms(c.reuseMs),
      `${c.speedup.toFixed(1)}x`.padStart(7),
      percent(c.chargedRecompute),
      percent(c.breakdown.overheadShare),
      `${percent(c.coldSpread)} / ${percent(c.reuseSpread).trim()}`.padEnd(19),
      c.outcome === 'reused' ? c.outcome : `${c.outcome} (${c.reason})`,
    ].join(' '),
  );
  const own =
    '* share of import + prefill spent in our own code (import, masks, gathers, bookkeeping)';
  return [
    `backend ${report.backend}, milliseconds, medians of ${report.repeat}`,
    head,
    ...rows,
    own,
  ].join('\n');
}
