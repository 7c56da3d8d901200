// The published policies as settings over one alignment; an operator's own numbers override each of them.
import type { PolicyName, RunnerCapabilities } from '../protocol/index.ts';
import type { ReuseOptions } from './options.ts';

/** The default: what measured best on the reference cases (README, quality). */
const editClosure: ReuseOptions = {
  policy: 'edit-closure',
  minRun: 32,
  seam: 16,
  contextGrowth: 4,
  closure: { min: 32, max: 64 },
  minReuse: 0.5,
  minSimilarity: 0,
  maxInversionShare: 0.5,
  mergeGap: 16,
  delimiterRefresh: true,
  strict: false,
  topUp: null,
  fullLayers: 0,
  decodeRefresh: 0,
  driftCorrection: 0.4,
  fallbacks: true,
};

/** KVShare v1 (arXiv 2503.16525v1 §4.2): changed tokens and the question, nothing else. No quality fallbacks. */
const placeholder: ReuseOptions = {
  ...editClosure,
  policy: 'placeholder',
  seam: 0,
  contextGrowth: 0,
  closure: { min: 0, max: 0 },
  minReuse: 0,
  maxInversionShare: 1,
  mergeGap: 1,
  delimiterRefresh: false,
  driftCorrection: 0,
};

const defaults: Record<PolicyName, ReuseOptions> = {
  off: { ...editClosure, policy: 'off' },
  exact: { ...editClosure, policy: 'exact' },
  'edit-closure': editClosure,
  placeholder,
  // EPIC (arXiv 2410.15332): the first k tokens of every moved run.
  legolink: { ...placeholder, policy: 'legolink', seam: 16 },
  // CacheBlend (arXiv 2405.16444): 15 % of the tokens, those whose V at layer 1 differs most.
  cacheblend: {
    ...placeholder,
    policy: 'cacheblend',
    topUp: { selector: 'v-deviation', ratio: 0.15, window: 1, keep: 1 },
  },
  // KVShare v2 (arXiv 2503.16525v2): attention column sum x deviation, three more a decode step.
  dhd: {
    ...placeholder,
    policy: 'dhd',
    topUp: { selector: 'dhd', ratio: 0.2, window: 1, keep: 1 },
    decodeRefresh: 3,
  },
  semantic: {
    ...editClosure,
    policy: 'semantic',
    minSimilarity: 0.92,
    minReuse: 0.3,
    fullLayers: 1,
  },
  naive: { ...placeholder, policy: 'naive' },
};

export const optionsOf = (policy: PolicyName): ReuseOptions => defaults[policy];

export const defaultReuseOptions = editClosure;

/** What serves while the policy is on trial; null for policies that need no trial. */
export function servesInShadow(options: ReuseOptions): ReuseOptions | null {
  if (options.policy !== 'semantic') return null;
  const { minReuse, fullLayers } = editClosure;
  return { ...options, policy: 'edit-closure', minReuse, fullLayers, minSimilarity: 0 };
}

/** What the policy cannot do without; a top-up on a policy of ranges is an extra that may be dropped. */
export function isAble(options: ReuseOptions, able: RunnerCapabilities): boolean {
  const { policy, topUp, fullLayers, decodeRefresh } = options;
  if (policy === 'semantic' && !able.unequalTokens) return false;
  const extra = policy === 'edit-closure' || policy === 'placeholder' || policy === 'legolink';
  return (
    extra ||
    ((topUp === null || able.topUp.includes(topUp.selector)) &&
      (fullLayers === 0 || able.fullLayers) &&
      (decodeRefresh === 0 || able.decodeRefresh))
  );
}

/** The extras that this runner can carry out. */
export function withinCapabilities(options: ReuseOptions, able: RunnerCapabilities): ReuseOptions {
  const topUp = options.topUp && able.topUp.includes(options.topUp.selector) ? options.topUp : null;
  return {
    ...options,
    topUp,
    fullLayers: able.fullLayers ? options.fullLayers : 0,
    decodeRefresh: able.decodeRefresh && topUp ? options.decodeRefresh : 0,
    driftCorrection: able.driftCorrection === true ? options.driftCorrection : 0,
  };
}

/** What has to be looked for among the stored prompts. */
export const searchFor = ({
  minRun,
  policy,
}: ReuseOptions): { readonly minRun: number; readonly paraphrases: boolean } => ({
  minRun,
  paraphrases: policy === 'semantic',
});
