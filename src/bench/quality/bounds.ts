// What the project asks of its default policy, family by family; a report says which of it holds. Means over the
// cases that count.
import type { Summary } from './summarise.ts';

interface Bounds {
  readonly chargedRecompute?: number;
  readonly kl32?: number;
  /** At least. */
  readonly top1?: number;
  readonly agree32?: number;
  readonly marginRecovery?: number;
}

const compositions: Bounds = { chargedRecompute: 0.3, kl32: 0.03, top1: 0.97, agree32: 0.95 };
const nearEdits: Bounds = { chargedRecompute: 0.3, kl32: 0.0005, marginRecovery: 0.98 };

/** Families that are not named here are held to what compositions are held to. */
const byFamily: Readonly<Record<string, Bounds>> = {
  few_shot_reorder: { ...compositions, chargedRecompute: 0.52 },
  edit_near: nearEdits,
  edit_number: nearEdits,
  edit_negation: nearEdits,
  edit_far: { chargedRecompute: 0.45, kl32: 0.006, marginRecovery: 0.88 },
};

/** Nothing may be imported there. */
const CONTROL = 'negative_control';

export interface BoundCheck {
  readonly family: string;
  readonly measure: keyof Bounds | 'n';
  readonly value: number;
  readonly bound: number;
  readonly isMet: boolean;
}

const atMost: readonly (keyof Bounds)[] = ['chargedRecompute', 'kl32'];

function checkFamily(family: string, summary: Summary): BoundCheck[] {
  if (family === CONTROL) {
    return [{ family, measure: 'n', value: summary.n, bound: 0, isMet: summary.n === 0 }];
  }
  const bounds = byFamily[family] ?? compositions;
  return (Object.keys(bounds) as (keyof Bounds)[]).flatMap((measure) => {
    const [value, bound] = [summary[measure], bounds[measure]!];
    // Nothing was imported, or no margin says anything.
    if (value === null || value === undefined) return [];
    const isMet = atMost.includes(measure) ? value <= bound : value >= bound;
    return [{ family, measure, value, bound, isMet }];
  });
}

export const checkBounds = (families: Readonly<Record<string, Summary>>): BoundCheck[] =>
  Object.entries(families).flatMap(([family, summary]) => checkFamily(family, summary));
