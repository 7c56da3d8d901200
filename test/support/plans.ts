// Plans and requests for engine tests.
import { complement, mergeRanges } from '../../src/kv/index.ts';
import type {
  GenerateEvent,
  GenerateRequest,
  PlanImport,
  Receipt,
  ReusePlan,
  StoredContext,
} from '../../src/protocol/index.ts';

/** A valid plan: what is not imported is recomputed, plus `extra` ranges, plus the last token. */
export function planOf(
  numTokens: number,
  imports: readonly PlanImport[],
  extra: readonly { start: number; end: number }[],
  fingerprint: string,
): ReusePlan {
  const covered = imports.map((i) => ({ start: i.targetStart, end: i.targetStart + i.length }));
  const holes = complement({ start: 0, end: numTokens }, covered);
  const ranges = mergeRanges([...holes, ...extra, { start: numTokens - 1, end: numTokens }]);
  return {
    version: 1,
    planId: 'plan-1',
    fingerprint,
    numTokens,
    policy: 'edit-closure',
    imports,
    recompute: ranges.map((range) => ({ ...range, reason: 'changed' })),
    topUp: null,
    fullLayers: 0,
    decodeRefresh: 0,
  };
}

export function requestOf(
  tokens: readonly number[],
  overrides: Partial<Omit<GenerateRequest, 'sampling'>> & {
    sampling?: Partial<GenerateRequest['sampling']>;
  } = {},
): GenerateRequest {
  const { sampling, ...rest } = overrides;
  return {
    requestId: 'request-1',
    scope: 'scope-a',
    owner: 'owner-a',
    tokens,
    plan: null,
    store: true,
    ...rest,
    sampling: { temperature: 0, topP: 1, seed: 1, maxTokens: 1, stopTokens: [], ...sampling },
  };
}

export interface Answer {
  readonly events: GenerateEvent[];
  readonly receipt: Receipt;
  readonly tokens: number[];
  readonly stored: StoredContext | undefined;
  readonly end: string;
}

/** Collects all events of one generation. */
export async function collect(events: AsyncIterable<GenerateEvent>): Promise<Answer> {
  const all: GenerateEvent[] = [];
  for await (const event of events) all.push(event);
  const of = <T extends GenerateEvent['type']>(type: T) =>
    all.filter((e): e is Extract<GenerateEvent, { type: T }> => e.type === type);
  const last = all.at(-1)!;
  return {
    events: all,
    // The last one counts: some runners know no sooner.
    receipt: of('receipt').at(-1)!.receipt,
    tokens: of('token').map((e) => e.id),
    stored: of('stored').at(-1)?.context,
    end: last.type === 'end' ? last.reason : last.type,
  };
}
