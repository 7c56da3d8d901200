// What there is to watch: numbers, the guard of each route, one request token by token, and all of it as a stream.
import { rungNames } from '../../routes/index.ts';
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
import { textStates, type Inspector } from '../inspector.ts';
import type { LiveStats } from '../live-stats.ts';
import type { SnapshotStream } from '../snapshot-stream.ts';
import { auditSchema } from './audit.ts';

const share = orNull({ type: 'number', minimum: 0, maximum: 1 });
const times = strictObject({ count, p50: orNull(number), p95: orNull(number) });

const guarded = { samples: count, top1: share, kl: orNull(number), state: text, trips: count };
const guardSchema = strictObject({
  route: text,
  ...guarded,
  tenants: strictObject(Object.fromEntries(rungNames.map((rung) => [rung, count]))),
});
const fallenSchema = strictObject({ route: text, tenant: orNull(text), ...guarded });

const statsSchema = strictObject({
  uptimeSeconds: count,
  requests: strictObject({ total: count, cold: count, exact: count, reused: count }),
  requestsPerSecond: number,
  hitRate: strictObject({ total: share, lastMinute: share }),
  promptTokens: strictObject({ total: count, exact: count, imported: count, recomputed: count }),
  savedTokens: count,
  ttftMs: strictObject({ reuse: times, cold: times }),
  routes: listOf(strictObject({ route: text, requests: count, hitRate: share })),
  guard: listOf(guardSchema),
  memory: listOf(strictObject({ tier: text, bytes: count, maxBytes: count })),
  donors: count,
  inFlight: count,
  epoch: count,
  runner: orNull(strictObject({ backend: text, generation: text, model: text })),
});

const range = { donorStart: count, targetStart: count, length: count };
const inspectionSchema = strictObject({
  ...(auditSchema['properties'] as Record<string, unknown>),
  text: { enum: textStates },
  spans: listOf(
    strictObject({
      start: count,
      end: count,
      mark: { enum: ['exact', 'imported', 'recomputed'] },
      reason: orNull(text),
      segment: orNull(text),
      texts: orNull(listOf({ type: 'string' })),
    }),
  ),
  compared: listOf(
    strictObject({
      donor: text,
      tokens: count,
      exactTokens: count,
      similarity: orNull(number),
      overlap: number,
      gate: text,
      isThere: flag,
      used: listOf(strictObject(range)),
      texts: orNull(listOf({ type: 'string' })),
    }),
  ),
});

/** Memory by tier, as the runner last said. */
function memoryOf({ runner }: Operator): object[] {
  if (!runner) return [];
  const { bytes, maxBytes, tiers } = runner.store;
  const below = tiers
    ? [
        { tier: 'host', ...tiers.host },
        { tier: 'disk', ...tiers.disk },
      ]
    : [];
  return [{ tier: 'live', bytes, maxBytes }, ...below].map((it) => ({
    tier: it.tier,
    bytes: it.bytes,
    maxBytes: it.maxBytes,
  }));
}

export function statsOf(operator: Operator, stats: LiveStats): object {
  const { runner } = operator;
  return {
    ...stats.snapshot,
    guard: operator.guardedRoutes(),
    memory: memoryOf(operator),
    donors: operator.numDonors,
    inFlight: operator.inFlight,
    epoch: operator.epoch,
    runner: runner && {
      backend: runner.backend.name,
      generation: runner.generation,
      model: runner.model.id,
    },
  };
}

export const watchEndpoints = (
  operator: Operator,
  { stats, inspector, stream }: { stats: LiveStats; inspector: Inspector; stream: SnapshotStream },
): Endpoint[] => [
  {
    method: 'get',
    path: '/admin/stats',
    name: 'stats',
    summary: 'Hit rate, times to first token, tokens saved, memory, guard.',
    answer: statsSchema,
    handle: () => statsOf(operator, stats),
  },
  {
    method: 'get',
    path: '/admin/guard',
    name: 'guard',
    summary:
      'What guards the answers of each route, all its tenants together; and those that are served with less than it asks for.',
    answer: strictObject({ routes: listOf(guardSchema), fallen: listOf(fallenSchema) }),
    handle: () => ({ routes: operator.guardedRoutes(), fallen: operator.fallenTenants() }),
  },
  {
    method: 'get',
    path: '/admin/inspect',
    name: 'inspect',
    summary:
      'One request token by token. Texts where its route has "inspect: text", for whoever sends the tenant’s key in x-kvshare-tenant-key, too.',
    query: { request: text },
    needs: ['request'],
    answer: inspectionSchema,
    handle: ({ query, header }) =>
      inspector.inspect(query['request'] as string, header('x-kvshare-tenant-key')),
  },
  {
    method: 'get',
    path: '/admin/stream',
    name: 'stream',
    summary: 'The numbers and the newest requests, twice a second, as server-sent events.',
    answer: strictObject({ stats: statsSchema, newest: listOf(auditSchema) }),
    stream: (response) => stream.add(response),
  },
];
