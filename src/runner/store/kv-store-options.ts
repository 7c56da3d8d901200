// What a store is told: how much KV it keeps where, what to keep, what somebody wants.
import type { KvLayout } from '../../kv/index.ts';
import type { StoredContext } from '../../protocol/index.ts';
import type { Tf } from '../backend/index.ts';
import type { KvBlock } from '../model/kv-block.ts';
import type { DiskStore } from './disk/disk-store.ts';
import type { PageView } from './kv-page.ts';
import type { KvFormat } from './page-codec.ts';

export interface StoredKv {
  readonly context: StoredContext;
  /** Cover positions [0, context.tokens.length). */
  readonly views: readonly PageView[];
}

/** What is kept beside live tensors: nothing, unless asked for. */
export interface KvTiers {
  readonly hostBytes?: number;
  readonly hostFormat?: KvFormat;
  readonly diskBytes?: number;
  /** The share of each tier that one scope may have, 0..1. */
  readonly scopeShare?: number;
  /** `second-sighting`: where memory is short, only what was seen before is kept. */
  readonly admission?: 'always' | 'second-sighting';
}

export interface KvStoreOptions extends KvTiers {
  /** Of live tensors. */
  readonly maxBytes: number;
  readonly tf: Tf;
  readonly layout: KvLayout;
  readonly generation: string;
  /** Opened before, so that what it holds is known from the first moment. */
  readonly disk?: DiskStore | null;
  readonly onEvict: (segments: string[]) => void;
  readonly onProblem?: (what: string, error: unknown) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** What to store: views that exist already and how to make the page for the tokens behind them. */
export interface NewContext {
  readonly context: Omit<StoredContext, 'segment'>;
  readonly shared: readonly PageView[];
  readonly makePage: () => KvBlock;
}

/** Positions [start, end) of a stored context. */
export interface Wanted {
  readonly segment: string;
  readonly start: number;
  readonly end: number;
}

/** The pages of somebody who waits for them. They stay until `release`, or until they were held for too long. */
export interface Bringing {
  /** Null when everything is live already. Never rejects. */
  readonly arrival: Promise<void> | null;
  release(): void;
}
