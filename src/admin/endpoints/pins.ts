// Donors kept from being evicted.
import type { Operator } from '../../sidecar/index.ts';
import { listOf, number, strictObject, text, type Endpoint } from '../endpoint.ts';

const DAY_SECONDS = 86_400;

const names = { ...listOf(text), minItems: 1, maxItems: 10_000 };

export const pinEndpoints = (operator: Operator): Endpoint[] => [
  {
    method: 'post',
    path: '/admin/donors/pin',
    name: 'pinDonors',
    summary:
      'Keeps donors from being evicted; a pin ends by itself (a day, unless said otherwise).',
    body: strictObject(
      {
        donors: names,
        forSeconds: { ...number, exclusiveMinimum: 0, maximum: 365 * DAY_SECONDS },
      },
      ['donors'],
    ),
    answer: strictObject({ pinned: listOf(text) }),
    handle: async ({ body }) => {
      const { donors, forSeconds = DAY_SECONDS } = body as {
        readonly donors: string[];
        readonly forSeconds?: number;
      };
      return { pinned: await operator.store.pin(donors, forSeconds * 1_000) };
    },
  },
  {
    method: 'post',
    path: '/admin/donors/unpin',
    name: 'unpinDonors',
    summary: 'Lets pinned donors be evicted again.',
    body: strictObject({ donors: names }),
    answer: strictObject({ unpinned: listOf(text) }),
    handle: async ({ body }) => {
      const { donors } = body as { readonly donors: string[] };
      return { unpinned: await operator.store.unpin(donors) };
    },
  },
];
