// The decoder-only forward pass over any set of rows (token positions), reading like the figure. It
// knows positions, not plans: imported KV arrives as past keys, fresh K/V joins them before attention,
// and a key is visible when its position is not behind the query's (design: runner rule 2).
import type {
  Tensor,
  Tensor1D,
  Tensor2D,
  Tensor3D,
  Tensor4D,
  Tensor5D,
} from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import { AttentionSum, type AttentionListener, type LayerRange } from './attention-sum.ts';
import { blockTokens, joinBlocks, type KvBlock } from './kv-block.ts';
import { growTail, tailRow } from './kv-tail.ts';
import { moveByDrift, type Drift } from './drift.ts';
import { decodeRows, type DecodeInput, type DecodeOutput } from './decode-rows.ts';
import { LayerParts, type LayerKv } from './layer-parts.ts';
import type { ModelConfig } from './model-config.ts';
import { RotaryTable, type RotaryRows } from './rotary.ts';
import type { ModelWeights } from './weights.ts';

export type { DecodeInput, DecodeOutput } from './decode-rows.ts';

export interface ForwardInput {
  readonly ids: Int32Array; // [rows]
  /** Target position of each row, ascending. */
  readonly positions: Int32Array; // [rows]
  /** Keys that exist already, in any order; null = none. The caller's. */
  readonly past: KvBlock | null;
  readonly pastPositions: Int32Array; // [pastKeys]
  /** How many of the last rows need logits. */
  readonly logitRows: number;
  /** Only some of the layers; absent = all of them. */
  readonly part?: ForwardPart;
  /** Moves the past by what the rows show; absent = it stays. Needs a past, and all layers. */
  readonly drift?: Drift;
}

/** Layers [first, end); `past` and the resulting `kv` hold these layers only. */
export interface ForwardPart {
  readonly first: number;
  readonly end: number;
  /** The rows behind layer `first - 1`; null = they start from their embeddings. The caller's. */
  readonly hidden: Tensor2D | null; // [rows, hidden]
  /** Layers [start, end) whose attention is summed up by key. */
  readonly attentionOf?: LayerRange;
}

export interface ForwardOutput {
  /** The rows' own keys and values, in their order. */
  readonly kv: KvBlock;
  readonly logits: Tensor2D | null; // [logitRows, vocab]
  /** The rows behind the part's last layer when others follow; the caller owns it. */
  readonly hidden?: Tensor2D | undefined; // [rows, hidden]
  /** What all rows and heads of the asked layers attended to each key; the caller owns it. */
  readonly attention?: Tensor1D | undefined; // [keys]
  /** The past as it was moved, in its order; the caller owns it. Only with `drift`. */
  readonly past?: KvBlock | undefined;
  /** Milliseconds spent on masks, tables and joining caches, as opposed to the network itself. */
  readonly overheadMs: number;
}

/** What a key behind the query adds to its score. */
export const HIDDEN = -1e9;

/** 0 where the key may be seen, HIDDEN where it lies behind the query; null when all are visible. */
export function visibilityMask(queries: Int32Array, keys: Int32Array): Float32Array | null {
  const mask = new Float32Array(queries.length * keys.length);
  let anyHidden = false;
  for (let row = 0; row < queries.length; row++) {
    const at = queries[row]!;
    const base = row * keys.length;
    for (let key = 0; key < keys.length; key++) {
      if (keys[key]! > at) {
        mask[base + key] = HIDDEN;
        anyHidden = true;
      }
    }
  }
  return anyHidden ? mask : null;
}

/** Positions of all keys: the past ones, then the fresh ones. */
export function keyPositions({
  pastPositions,
  positions,
}: Pick<ForwardInput, 'pastPositions' | 'positions'>): Int32Array {
  const keys = new Int32Array(pastPositions.length + positions.length);
  keys.set(pastPositions);
  keys.set(positions, pastPositions.length);
  return keys;
}

interface Rows {
  readonly rotary: RotaryRows;
  readonly mask: Tensor2D | null; // [rows, keys]
}

interface AttentionInputs {
  readonly q: Tensor3D; // [heads, rows, headDim]
  readonly kv: LayerKv;
  readonly mask: Tensor2D | null; // [rows, keys]
  /** How many of the last rows go on. */
  readonly wanted: number;
  /** Hears the attention weights; null = nobody asked. */
  readonly listen: AttentionListener | null;
}

const MOST_DECODE_ROWS = 8;

const isBlock = (block: KvBlock | null): block is KvBlock => block !== null;

export class Transformer {
  readonly config: ModelConfig;
  readonly #tf: Tf;
  readonly #weights: ModelWeights;
  readonly #rotary: RotaryTable;
  readonly #parts: LayerParts;
  readonly #together: boolean;

  /** `together`: sequences decode at once, op by op. */
  constructor(tf: Tf, config: ModelConfig, weights: ModelWeights, together = false) {
    this.config = config;
    this.#together = together;
    this.#tf = tf;
    this.#weights = weights;
    this.#parts = new LayerParts(tf, config, weights);
    this.#rotary = new RotaryTable(tf, config.headDim, config.ropeTheta, config.contextLength);
  }

  get tf(): Tf {
    return this.#tf;
  }

  get rotary(): RotaryTable {
    return this.#rotary;
  }

  /** The caller owns `kv`, `logits` and `hidden` and keeps owning `past`. */
  forward(input: ForwardInput): ForwardOutput {
    const tf = this.#tf;
    const { first, end } = input.part ?? { first: 0, end: this.config.numLayers };
    const attention = new AttentionSum(tf, input.part?.attentionOf ?? { start: 0, end: 0 });
    let overheadMs = 0;
    const timed = <T>(work: () => T): T => {
      const start = performance.now();
      const result = work();
      overheadMs += performance.now() - start;
      return result;
    };
    const outputs = Math.min(input.logitRows, input.ids.length);
    const goesOn = end < this.config.numLayers;
    try {
      const result = tf.tidy(() => {
        const rows = timed(() => this.#prepareRows(input));
        const past = timed(() => this.#unstack(input.past));
        const { drift } = input;
        const stale = timed(() => this.#unstack(drift?.stale ?? null));
        const keys = drift && this.#rotary.rows(input.pastPositions);
        const moves = drift && { ...drift, rows: rows.rotary, past: keys! };
        const moved: LayerKv[] = [];
        let x = input.part?.hidden ?? this.#parts.embed(input.ids); // [rows, hidden]
        const fresh: LayerKv[] = [];
        for (let at = first; at < end; at++) {
          const last = at === this.config.numLayers - 1;
          const done = tf.tidy(() => {
            const { q, ...own } = this.#parts.project(this.#weights.layers[at]!, x, rows.rotary);
            const found = past[at - first];
            const before = found && moves ? moveByDrift(tf, found, own, stale[at]!, moves) : found;
            const kv = timed(() => (before ? this.#join(before, own) : own));
            // Behind the last layer only rows with logits matter; its K/V are needed for all rows.
            const wanted = last ? outputs : input.ids.length;
            const listen = attention.listener(at);
            const next = this.#block(at, x, { q, kv, mask: rows.mask, wanted, listen });
            return { x: next, ...own, ...(moves && { pastK: before!.k, pastV: before!.v }) };
          });
          x = done.x;
          fresh.push(done);
          if (moves) moved.push({ k: done.pastK!, v: done.pastV! });
        }
        const own = {
          ...this.#stack(fresh), // [layers, kvHeads, rows, headDim]
          ...(moves && { past: this.#stack(moved) }), // [layers, kvHeads, past, headDim]
        };
        if (goesOn) return { ...own, rows: tf.clone(x) };
        return { ...own, ...(outputs > 0 && { rows: this.#parts.head(x) }) };
      });
      return {
        kv: { k: result.k, v: result.v },
        logits: goesOn ? null : (result.rows ?? null),
        hidden: goesOn ? result.rows : undefined,
        attention: attention.take(),
        past: result.past,
        overheadMs,
      };
    } catch (error) {
      attention.dispose();
      throw error;
    }
  }

  /** How many rows a step is made for when there are so many sequences; at most `decodeRows(Infinity)`. */
  decodeRows(sequences: number): number {
    return Math.min(sequences, MOST_DECODE_ROWS);
  }

  /** The next token of several sequences. */
  decode(input: DecodeInput): DecodeOutput {
    const { tf, config, rotary } = this;
    if (!this.#together || input.ids.length === 1) return this.#decodeInTurns(input);
    return decodeRows({ tf, config, rotary, weights: this.#weights, parts: this.#parts }, input);
  }

  /** Each with its keys copied together: the reference for doing them at once. */
  #decodeInTurns({ ids, positions, bases, tail, tailStarts }: DecodeInput): DecodeOutput {
    const tf = this.#tf;
    return tf.tidy(() => {
      const rows = bases.map((base, row) => {
        const blocks = [base, tail && tailRow(tf, tail, row, tailStarts[row]!)].filter(isBlock);
        const past = blocks.length > 0 ? joinBlocks(tf, blocks, 'token') : null;
        const { kv, logits } = this.forward({
          ids: ids.slice(row, row + 1),
          positions: positions.slice(row, row + 1),
          past,
          // None lies behind the query, whichever they are.
          pastPositions: new Int32Array(past ? blockTokens(past) : 0),
          logitRows: 1,
        });
        return { logits: logits!, ...kv };
      });
      const byRow = (which: 'k' | 'v'): Tensor5D => {
        const fresh = rows.map((row) => row[which]);
        return tf.stack(fresh, 1) as Tensor5D; // [layers, rows, kvHeads, 1, headDim]
      };
      const logits = tf.concat(
        rows.map((row) => row.logits),
        0,
      ); // [rows, vocab]
      return { logits, tail: growTail(tf, tail, byRow('k'), byRow('v')) };
    });
  }

  /** Gets ready what would make the first step of its kind slow, one thing at a call; false = all is. */
  warmUp(): boolean {
    return false;
  }

  #unstack(past: KvBlock | null): LayerKv[] {
    if (!past) return [];
    const v = this.#tf.unstack(past.v) as Tensor3D[];
    return (this.#tf.unstack(past.k) as Tensor3D[]).map((k, at) => ({ k, v: v[at]! }));
  }

  #stack(layers: readonly LayerKv[]): KvBlock {
    const all = (which: 'k' | 'v'): Tensor4D =>
      this.#tf.stack(layers.map((layer) => layer[which])) as Tensor4D;
    return { k: all('k'), v: all('v') };
  }

  #prepareRows(input: ForwardInput): Rows {
    const keys = keyPositions(input);
    const mask = visibilityMask(input.positions, keys);
    return {
      rotary: this.#rotary.rows(input.positions),
      mask: mask && this.#tf.tensor2d(mask, [input.positions.length, keys.length]),
    };
  }

  #join(past: LayerKv, fresh: LayerKv): LayerKv {
    const tf = this.#tf;
    return { k: tf.concat([past.k, fresh.k], 1), v: tf.concat([past.v, fresh.v], 1) };
  }

  #block(at: number, x: Tensor2D, { q, kv, mask, wanted, listen }: AttentionInputs): Tensor2D {
    const tf = this.#tf;
    const weights = this.#weights.layers[at]!;
    const rows = x.shape[0];
    if (wanted === 0) {
      listen?.(this.#parts.attentionWeights(q, kv, mask));
      return x;
    }
    const tail = (t: Tensor, axis: number): Tensor =>
      wanted === rows
        ? t
        : tf.slice(
            t,
            t.shape.map((_, i) => (i === axis ? rows - wanted : 0)),
            t.shape.map((size, i) => (i === axis ? wanted : size)),
          );
    const attention = this.#parts.attentionWeights(
      tail(q, 1) as Tensor3D,
      kv,
      mask && (tail(mask, 0) as Tensor2D),
    );
    listen?.(attention);
    const attended = this.#parts.mix(attention, kv.v, wanted);
    const h = tf.add<Tensor2D>(tail(x, 0), tf.matMul(attended, weights.output)); // [wanted, hidden]
    return tf.add(h, this.#parts.feedForward(weights, h));
  }
}
