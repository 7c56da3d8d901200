// Which donors served which answer; and everything that a wrong donor touched, purged.
import { KvShareError } from '../../errors.ts';
import type { Operator } from '../../sidecar/index.ts';
import type { AuditRing } from '../audit-ring.ts';
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

export const auditSchema = strictObject({
  request: text,
  at: { type: 'string', format: 'date-time' },
  route: text,
  tenant: orNull(text),
  outcome: { enum: ['cold', 'exact', 'reused'] },
  reason: text,
  policy: text,
  promptTokens: count,
  exactTokens: count,
  importedTokens: count,
  recomputedTokens: count,
  ttftMs: orNull(number),
  isWhole: flag,
  degraded: orNull(text),
  donors: listOf(strictObject({ donor: text, tokens: count })),
  stored: orNull(text),
});

interface PurgeBody {
  readonly donor?: string;
  readonly request?: string;
  readonly dryRun?: boolean;
}

/** The donors that a purge starts from. */
function startOf(ring: AuditRing, { donor, request }: PurgeBody): string[] {
  if (donor !== undefined) return [donor];
  if (request === undefined) {
    throw new KvShareError('invalid_request', 'Name a donor or a request to purge.');
  }
  // Clients choose the id: several requests may have the same.
  const entries = ring.find({ request, limit: Infinity });
  if (entries.length === 0) {
    throw new KvShareError('not_found', 'This request is not remembered.', 'request');
  }
  return entries.flatMap(({ stored }) => stored ?? []);
}

async function purge(operator: Operator, ring: AuditRing, body: PurgeBody) {
  const { dryRun = false } = body;
  // Those that are gone as well: what is still being computed over them must not be kept.
  const line = new Set<string>();
  const touched = new Set<string>();
  for (const start of startOf(ring, body)) {
    const found = operator.lineOf(start);
    if (!found) {
      const message =
        'Nothing is known of this donor any more; what may have been computed over it has unknownAncestors.';
      throw new KvShareError('not_found', message, 'donor');
    }
    for (const donor of found) line.add(donor);
    for (const donor of operator.touchedBy(start) ?? []) touched.add(donor);
  }
  const [all, donors] = [[...line], [...touched]];
  const requests = all.flatMap((donor) => ring.find({ donor, limit: Infinity }));
  if (!dryRun) await operator.remove(all);
  return { donors, requests: [...new Set(requests.map(({ request }) => request))], dryRun };
}

export const auditEndpoints = (operator: Operator, ring: AuditRing): Endpoint[] => [
  {
    method: 'get',
    path: '/admin/audit',
    name: 'audit',
    summary: 'Which donors served which answers, the newest first.',
    query: {
      request: text,
      donor: { ...text, description: 'Served by it, or stored as it.' },
      tenant: text,
      limit: { type: 'integer', minimum: 1, maximum: 10_000 },
    },
    answer: strictObject({ requests: listOf(auditSchema) }),
    handle: ({ query }) => ({ requests: ring.find(query) }),
  },
  {
    method: 'post',
    path: '/admin/audit/purge',
    name: 'purge',
    summary:
      'Deletes a donor (or what was kept of a request) and every donor that was computed over it; tells the answers that those took part in.',
    body: strictObject({ donor: text, request: text, dryRun: flag }, []),
    answer: strictObject({ donors: listOf(text), requests: listOf(text), dryRun: flag }),
    handle: ({ body }) => purge(operator, ring, body as PurgeBody),
  },
];
