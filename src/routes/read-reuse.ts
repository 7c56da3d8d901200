// Validated settings → options: what is not given comes from the policy, or from the settings one level up.
import type { PolicyName, TopUp } from '../protocol/index.ts';
import { optionsOf, type ReuseOptions } from '../reuse/index.ts';
import type { QualityBudget } from './quality-window.ts';

/** Shape of `reuseSchema`. */
export type ReuseSettings = Partial<
  Omit<ReuseOptions, 'closure' | 'topUp' | 'fallbacks'> & {
    readonly closure: Partial<ReuseOptions['closure']>;
    readonly topUp: (Pick<TopUp, 'selector' | 'ratio'> & Partial<TopUp>) | null;
    readonly qualityBudget: Partial<QualityBudget>;
    readonly shadow: boolean;
  }
>;

export interface RouteReuse {
  readonly options: ReuseOptions;
  readonly qualityBudget: QualityBudget;
  /** Planned, judged and recorded, but computed in full. */
  readonly shadow: boolean;
}

/** Design: semantic reuse stays in shadow until at least 50 samples have met the budget. */
const defaultBudget: QualityBudget = { top1: 0.97, kl: 0.03, samples: 50, share: 0.01 };

export const defaultReuse: RouteReuse = {
  options: optionsOf('edit-closure'),
  qualityBudget: defaultBudget,
  shadow: false,
};

const readTopUp = (given: ReuseSettings['topUp']): TopUp | null =>
  given ? { window: 1, keep: 1, ...given } : null;

/** Another policy than the inherited one starts from its own numbers. */
export function readReuse(settings: ReuseSettings, inherited: RouteReuse): RouteReuse {
  const { closure, topUp, qualityBudget, shadow, ...plain } = settings;
  const policy: PolicyName = settings.policy ?? inherited.options.policy;
  const base = policy === inherited.options.policy ? inherited.options : optionsOf(policy);
  return {
    options: {
      ...base,
      ...plain,
      closure: { ...base.closure, ...closure },
      ...(topUp !== undefined && { topUp: readTopUp(topUp) }),
    },
    qualityBudget: { ...inherited.qualityBudget, ...qualityBudget },
    shadow: shadow ?? inherited.shadow,
  };
}
