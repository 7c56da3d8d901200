// `bench overhead`: what the sidecar adds to a request and to each streamed event. The same requests go by turns through
// a sidecar process and straight to the runner process behind it, which has no model and answers at once. All three
// processes read one clock, so that a token's way from the runner to the client can be timed.
import { KvShareError } from '../../errors.ts';
import { serveTenants } from '../../harness/index.ts';
import type { Tokenizer } from '../../tokenizer/index.ts';
import { clinicTrace } from '../clinic-trace.ts';
import { askDirectly, askThroughSidecar, type AskedAnswer } from './ask.ts';
import { startInstantRunner } from './instant-process.ts';
import {
  bypasses,
  measureMountedBypass,
  type BypassingApps,
  type MountedBypass,
} from './mounted-bypass.ts';
import { readPlanSeconds } from './plan-clock.ts';
import { spreadOf, type Spread } from './spread.ts';

export interface OverheadOptions {
  readonly requests: number;
  readonly tokenizer: Tokenizer;
  /** Further arguments of `kvshare sidecar`. */
  readonly sidecarArgs: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly openBypassingApps: () => Promise<BypassingApps>;
  readonly onProgress: (done: number, total: number, label: string) => void;
}

export interface OverheadReport {
  readonly suite: 'overhead';
  /** Without the ones that warm up. */
  readonly requests: number;
  readonly promptTokens: Spread;
  readonly tokensPerAnswer: number;
  /** Between two tokens of an answer. */
  readonly paceMs: number;
  /** From sending to the first content at the client, without planning, beyond what the runner alone needs. */
  readonly addedFirstByteMs: Spread;
  /** The part of it on the way to the runner. */
  readonly addedOnTheWayMs: Spread;
  /** A token's way from the runner to the client, beyond its way on a direct connection. */
  readonly addedPerEventMs: Spread;
  readonly planMs: Spread;
  /** The runner alone, as it was subtracted. */
  readonly directMs: { readonly firstByte: Spread; readonly perEvent: Spread };
  /** Requests by outcome, as the receipts say: planning had something to plan. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** An app that mounts KVShare and has requests bypass it, beyond the same app without the mount. */
  readonly mountedBypass: MountedBypass;
}

const TOKENS = 24;
const PACE_MS = 4;
/** Requests that are not counted: compilers and connections get ready. */
const warmUpOf = (requests: number): number => Math.min(100, requests);

/** The same request both ways, and what planning took. */
interface Pair {
  readonly promptTokens: number;
  readonly planMs: number;
  readonly through: AskedAnswer;
  readonly direct: AskedAnswer;
}

async function measurePairs(options: OverheadOptions): Promise<Pair[]> {
  const { requests, tokenizer, env, onProgress } = options;
  const warmUp = warmUpOf(requests);
  const trace = clinicTrace(requests + warmUp);
  const tenants = [...new Set(trace.map(({ tenant }) => tenant))];
  const runner = await startInstantRunner({ paceMs: PACE_MS, env });
  try {
    const sidecar = await serveTenants({
      command: 'sidecar',
      tenants: tenants.map((name) => ({ name, key: `key-${name}` })),
      args: ['--runner', runner.url, ...options.sidecarArgs],
      env,
    });
    try {
      const pairs: Pair[] = [];
      let planned = await readPlanSeconds(sidecar);
      for (const [at, request] of trace.entries()) {
        onProgress(at, trace.length, at < warmUp ? 'warming up' : 'measuring');
        const through = await askThroughSidecar(sidecar.url, runner, request, TOKENS);
        const before = planned;
        planned = await readPlanSeconds(sidecar);
        const planMs = 1000 * (planned - before);
        const tokens = Array.from(tokenizer.encodeChat(request.messages).tokens);
        const direct = await askDirectly(runner, `${request.id}-direct`, tokens, TOKENS);
        pairs.push({ promptTokens: tokens.length, planMs, through, direct });
      }
      onProgress(trace.length, trace.length, 'done');
      return pairs.slice(warmUp);
    } finally {
      await sidecar.close();
    }
  } finally {
    await runner.close();
  }
}

function outcomesOf(pairs: readonly Pair[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { through } of pairs) counts[through.outcome] = (counts[through.outcome] ?? 0) + 1;
  return counts;
}

export async function runOverhead(options: OverheadOptions): Promise<OverheadReport> {
  const { requests, openBypassingApps: open, onProgress } = options;
  const pairs = await measurePairs(options);
  const warmUp = warmUpOf(requests);
  const mountedBypass = await measureMountedBypass({ requests, warmUp, open, onProgress });
  if (pairs.some(({ through, direct }) => through.eventMs.length !== direct.eventMs.length)) {
    throw new KvShareError('internal_error', 'The sidecar did not send one event a token.');
  }
  const added = pairs.map((p) => p.through.firstMs - p.planMs - p.direct.firstMs);
  const perEvent = pairs.flatMap(({ through, direct }) =>
    through.eventMs.map((ms, i) => ms - direct.eventMs[i]!),
  );
  return {
    suite: 'overhead',
    requests: pairs.length,
    promptTokens: spreadOf(pairs.map((p) => p.promptTokens)),
    tokensPerAnswer: TOKENS,
    paceMs: PACE_MS,
    addedFirstByteMs: spreadOf(added),
    addedOnTheWayMs: spreadOf(
      pairs.map((p) => p.through.requestMs - p.planMs - p.direct.requestMs),
    ),
    addedPerEventMs: spreadOf(perEvent),
    planMs: spreadOf(pairs.map((p) => p.planMs)),
    directMs: {
      firstByte: spreadOf(pairs.map((p) => p.direct.firstMs)),
      perEvent: spreadOf(pairs.flatMap((p) => p.direct.eventMs)),
    },
    outcomes: outcomesOf(pairs),
    mountedBypass,
  };
}

export function formatOverhead(report: OverheadReport): string {
  const ms = (value: number): string => `${value.toFixed(2)} ms`.padStart(10);
  const row = (name: string, { p50, p90, p99 }: Spread): string =>
    `${name.padEnd(44)} ${ms(p50)} ${ms(p90)} ${ms(p99)}`;
  return [
    `${report.requests} requests of ${report.promptTokens.p50.toFixed(0)} tokens, ${report.tokensPerAnswer} tokens each, one every ${report.paceMs} ms`,
    `${''.padEnd(44)} ${'p50'.padStart(10)} ${'p90'.padStart(10)} ${'p99'.padStart(10)}`,
    row('added to the first byte, beside planning', report.addedFirstByteMs),
    row('  of which on the way to the runner', report.addedOnTheWayMs),
    row('added to each event', report.addedPerEventMs),
    row('planning', report.planMs),
    row('the runner alone, first byte', report.directMs.firstByte),
    row('the runner alone, each event', report.directMs.perEvent),
    ...bypasses.map((name) =>
      row(`mounted and bypassed, first byte: ${name}`, report.mountedBypass[name].addedFirstByteMs),
    ),
  ].join('\n');
}
