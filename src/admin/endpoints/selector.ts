// Which donors an operator means: every condition that is given must hold.
import type { OperatedDonor } from '../../sidecar/index.ts';
import { flag, number, text } from '../endpoint.ts';

export interface Selector {
  readonly tenant?: string;
  readonly scope?: string;
  readonly donor?: string;
  readonly olderThanSeconds?: number;
  readonly unusedForSeconds?: number;
  readonly neverUsed?: boolean;
  readonly unknownAncestors?: boolean;
}

export const selectorQuery = {
  tenant: text,
  scope: text,
  donor: text,
  olderThanSeconds: { ...number, minimum: 0, description: 'Stored before; unknown age counts.' },
  unusedForSeconds: { ...number, minimum: 0, description: 'Neither stored nor used since.' },
  neverUsed: { ...flag, description: 'Has served no request.' },
  unknownAncestors: { ...flag, description: 'May have been computed over anything.' },
};

const equals = (expected: string | undefined, value: string | null): boolean =>
  expected === undefined || expected === value;

const isPast = (seconds: number | undefined, ms: number | null): boolean =>
  seconds === undefined || ms === null || ms >= seconds * 1_000;

const isAs = (wanted: boolean | undefined, value: boolean): boolean =>
  wanted === undefined || wanted === value;

export const isSelected = (donor: OperatedDonor, selector: Selector): boolean =>
  equals(selector.tenant, donor.tenant) &&
  equals(selector.scope, donor.scope) &&
  equals(selector.donor, donor.segment) &&
  isPast(selector.olderThanSeconds, donor.ageMs) &&
  isPast(selector.unusedForSeconds, donor.unusedMs) &&
  isAs(selector.neverUsed, donor.hits === 0) &&
  isAs(selector.unknownAncestors, donor.hasUnknownAncestors);
