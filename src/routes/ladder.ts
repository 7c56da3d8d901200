// The settings that a route can be served with, from what its operator asked for down to the exact prefix: the guard
// goes down a rung when answers leave the quality budget, and up again on evidence.
import { servesInShadow, type ReuseOptions } from '../reuse/index.ts';

export const rungNames = ['asked', 'substitute', 'tightened', 'exact'] as const;
export type RungName = (typeof rungNames)[number];

export interface Rung {
  readonly name: RungName;
  readonly options: ReuseOptions;
}

/** More is recomputed around whatever is imported, and less is imported in doubtful cases. */
function tightened(options: ReuseOptions): ReuseOptions {
  const { policy, seam, contextGrowth, closure, minRun, maxInversionShare } = options;
  return {
    ...options,
    policy: policy === 'semantic' ? 'edit-closure' : policy,
    seam: Math.max(48, 2 * seam),
    contextGrowth: contextGrowth === 0 ? 2 : Math.min(2, contextGrowth),
    closure: { min: Math.max(64, 2 * closure.min), max: Math.max(128, 2 * closure.max) },
    minRun: Math.max(64, minRun),
    maxInversionShare: Math.min(0.2, maxInversionShare),
    delimiterRefresh: true,
    strict: true,
  };
}

/** First what was asked for; a policy that has to earn its place has a substitute until then. */
export function ladderOf(options: ReuseOptions): readonly Rung[] {
  if (options.policy === 'off' || options.policy === 'exact') return [{ name: 'asked', options }];
  const substitute = servesInShadow(options);
  return [
    { name: 'asked', options },
    ...(substitute ? [{ name: 'substitute', options: substitute } as const] : []),
    { name: 'tightened', options: tightened(substitute ?? options) },
    { name: 'exact', options: { ...options, policy: 'exact' } },
  ];
}

/** Where a route begins: at what was asked for, unless that is on trial. */
export const firstRung = (options: ReuseOptions): number =>
  servesInShadow(options) === null ? 0 : 1;
