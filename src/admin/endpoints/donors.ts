// Donors: seen without their text, deleted by selector, flushed.
import { KvShareError } from '../../errors.ts';
import type { Operator } from '../../sidecar/index.ts';
import {
  count,
  flag,
  listOf,
  number,
  orNull,
  strictObject,
  text,
  type Endpoint,
} from '../endpoint.ts';
import { isSelected, selectorQuery, type Selector } from './selector.ts';

const MOST_LISTED = 1_000;

const donorSchema = strictObject({
  donor: text,
  tenant: orNull(text),
  scope: text,
  tokens: count,
  exactTokens: count,
  hits: count,
  ageSeconds: orNull(number),
  unusedSeconds: orNull(number),
  tier: orNull({ enum: ['live', 'host', 'disk'] }),
  pinnedForSeconds: orNull(number),
  hasUnknownAncestors: flag,
});

const removedSchema = strictObject({
  donors: listOf(text),
  dryRun: flag,
  /** Donors that no tenant is known for. */
  unattributed: count,
  /** With `tenant` alone: its lines in the file of recorded requests. */
  recordedRequests: count,
});

const seconds = (ms: number | null): number | null => (ms === null ? null : Math.round(ms) / 1_000);

async function list(operator: Operator, query: Selector & { limit?: number; offset?: number }) {
  const { limit = 100, offset = 0, ...selector } = query;
  const found = operator.donors().filter((donor) => isSelected(donor, selector));
  found.sort((a, b) => (a.ageMs ?? Infinity) - (b.ageMs ?? Infinity));
  const canAsk = operator.runner?.capabilities.storeControl === true;
  const stored = new Map((canAsk ? await operator.store.list() : []).map((it) => [it.segment, it]));
  const donors = found.slice(offset, offset + limit).map((donor) => ({
    donor: donor.segment,
    tenant: donor.tenant,
    scope: donor.scope,
    tokens: donor.tokens.length,
    exactTokens: donor.exactTokens,
    hits: donor.hits,
    ageSeconds: seconds(donor.ageMs),
    unusedSeconds: seconds(donor.unusedMs),
    tier: stored.get(donor.segment)?.tier ?? null,
    pinnedForSeconds: seconds(stored.get(donor.segment)?.pinnedForMs ?? null),
    hasUnknownAncestors: donor.hasUnknownAncestors,
  }));
  return { total: found.length, donors };
}

async function remove(operator: Operator, query: Selector & { dryRun?: boolean }) {
  const { dryRun = false, ...selector } = query;
  if (Object.keys(selector).length === 0) {
    const message = 'Say which donors: give a selector, or flush to delete all of them.';
    throw new KvShareError('invalid_request', message);
  }
  const all = operator.donors();
  const donors = all.filter((donor) => isSelected(donor, selector)).map(({ segment }) => segment);
  const { tenant: whole, ...more } = selector;
  const isWholeTenant = whole !== undefined && Object.keys(more).length === 0;
  // Whatever the runner says, the rest goes as well.
  const [recordedRequests] = dryRun
    ? [0]
    : await Promise.all([
        isWholeTenant ? operator.forgetTenant(whole) : 0,
        operator.remove(donors),
      ]);
  const unattributed = all.filter(({ tenant }) => tenant === null).length;
  return { donors, dryRun, unattributed, recordedRequests };
}

export const donorEndpoints = (operator: Operator): Endpoint[] => [
  {
    method: 'get',
    path: '/admin/donors',
    name: 'listDonors',
    summary: 'Stored prompts, the newest first, without their text.',
    query: {
      ...selectorQuery,
      limit: { type: 'integer', minimum: 1, maximum: MOST_LISTED },
      offset: count,
    },
    answer: strictObject({ total: count, donors: listOf(donorSchema) }),
    handle: ({ query }) => list(operator, query),
  },
  {
    method: 'delete',
    path: '/admin/donors',
    name: 'deleteDonors',
    summary:
      'Deletes the donors that meet every condition given; none is imported from then on. With `tenant` alone, its recorded requests as well.',
    query: { ...selectorQuery, dryRun: flag },
    answer: removedSchema,
    handle: ({ query }) => remove(operator, query),
  },
  {
    method: 'post',
    path: '/admin/flush',
    name: 'flush',
    summary: 'Everything stored or begun until now is unusable at once, and deleted.',
    answer: strictObject({ epoch: count, donors: listOf(text) }),
    handle: async () => {
      const donors = await operator.flush();
      return { epoch: operator.epoch, donors };
    },
  },
];
