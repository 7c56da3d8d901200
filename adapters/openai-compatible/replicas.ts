// Several servers with the same model, each with a cache of its own: a request goes to the one that has read the beginning
// of its prompt, a user's next request to the one that had the last, everything else to the one with the least to do. What
// is remembered is bounded.
import { LRUCache } from 'lru-cache';
import type { CompletionServer } from './completions.ts';

export interface Replica {
  readonly server: CompletionServer;
  running: number;
  isUp: boolean;
}

export interface Affinity {
  /** The context that the plan goes on from. */
  readonly segment: string | null;
  readonly owner: string | null;
}

/** A full server is left for an idle one when it has so many more requests. */
const MAX_LEAD = 8;
const MAX_OWNERS = 10_000;

export class Replicas {
  readonly all: readonly Replica[];
  readonly #bySegment: LRUCache<string, Replica>;
  readonly #byOwner = new LRUCache<string, Replica>({ max: MAX_OWNERS });

  /** `onForget`: which context nobody is known to have any more. */
  constructor(
    servers: readonly CompletionServer[],
    maxContexts: number,
    onForget: (segment: string) => void,
  ) {
    this.all = servers.map((server) => ({ server, running: 0, isUp: true }));
    this.#bySegment = new LRUCache({
      max: maxContexts,
      dispose: (_replica, segment, reason) => {
        if (reason === 'evict') onForget(segment);
      },
    });
  }

  /** Best first; those that are down last, since they may be back. */
  inOrder({ segment, owner }: Affinity): Replica[] {
    const known =
      (segment === null ? undefined : this.#bySegment.get(segment)) ??
      (owner === null ? undefined : this.#byOwner.get(owner));
    const order = [...this.all].sort(
      (a, b) => Number(b.isUp) - Number(a.isUp) || a.running - b.running,
    );
    const lead = known ? known.running - order[0]!.running : Infinity;
    if (!known?.isUp || lead > MAX_LEAD) return order;
    return [known, ...order.filter((replica) => replica !== known)];
  }

  /** The replica has read this context, or answered this user. */
  remember(replica: Replica, { segment, owner }: Affinity): void {
    if (segment !== null) this.#bySegment.set(segment, replica);
    if (owner !== null) this.#byOwner.set(owner, replica);
  }

  forget(segment: string): void {
    this.#bySegment.delete(segment);
  }

  /** What it had read: a server that went away comes back empty. */
  lost(replica: Replica): string[] {
    replica.isUp = false;
    const segments = [...this.#bySegment.entries()]
      .filter(([, holder]) => holder === replica)
      .map(([segment]) => segment);
    for (const segment of segments) this.forget(segment);
    return segments;
  }
}
