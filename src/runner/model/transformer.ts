// The decoder-only forward pass over any set of rows (token positions), reading like the figure. It
// knows positions, not plans: imported KV arrives as past keys, fresh K/V joins them before attention,
// and a key is visible when its position is not behind the query's (design: runner rule 2).
import type {
  Rank,
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
import { tailRow, type KvTail } from './kv-tail.ts';
import type { ModelConfig } from './model-config.ts';
import { rotate, RotaryTable, type RotaryRows } from './rotary.ts';
import type { LayerWeights, ModelWeights } from './weights.ts';

/** K (rotated) and V of one layer. */
interface LayerKv {
  readonly k: Tensor3D; // [kvHeads, keys, headDim]
  readonly v: Tensor3D; // [kvHeads, keys, headDim]
}

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
  /** Milliseconds spent on masks, tables and joining caches, as opposed to the network itself. */
  readonly overheadMs: number;
}

/** One token for each of several sequences (rows). Everything stays the caller's. */
export interface DecodeInput {
  readonly ids: Int32Array; // [rows]
  readonly positions: Int32Array; // [rows]
  /** By row the keys that stay as they are. */
  readonly bases: readonly (KvBlock | null)[];
  /** The keys behind them: all that a step copies. */
  readonly tail: KvTail | null;
  /** By row its first own column of the tail. */
  readonly tailStarts: readonly number[];
}

/** The caller owns it all. */
export interface DecodeOutput {
  readonly logits: Tensor2D; // [rows, vocab]
  /** With one more column: the fresh keys. */
  readonly tail: KvTail;
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

  constructor(tf: Tf, config: ModelConfig, weights: ModelWeights) {
    this.config = config;
    this.#tf = tf;
    this.#weights = weights;
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
        let x = input.part?.hidden ?? this.#embed(input.ids); // [rows, hidden]
        const fresh: LayerKv[] = [];
        for (let at = first; at < end; at++) {
          const last = at === this.config.numLayers - 1;
          const done = tf.tidy(() => {
            const { q, ...own } = this.#project(this.#weights.layers[at]!, x, rows.rotary);
            const before = past[at - first];
            const kv = timed(() => (before ? this.#join(before, own) : own));
            // Behind the last layer only rows with logits matter; its K/V are needed for all rows.
            const wanted = last ? outputs : input.ids.length;
            const listen = attention.listener(at);
            return { x: this.#block(at, x, { q, kv, mask: rows.mask, wanted, listen }), ...own };
          });
          x = done.x;
          fresh.push(done);
        }
        const k = tf.stack(fresh.map((layer) => layer.k)) as Tensor4D; // [layers, kvHeads, rows, headDim]
        const v = tf.stack(fresh.map((layer) => layer.v)) as Tensor4D; // [layers, kvHeads, rows, headDim]
        if (goesOn) return { k, v, rows: tf.clone(x) };
        return { k, v, ...(outputs > 0 && { rows: this.#head(x) }) };
      });
      return {
        kv: { k: result.k, v: result.v },
        logits: goesOn ? null : (result.rows ?? null),
        hidden: goesOn ? result.rows : undefined,
        attention: attention.take(),
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

  /**
   * The next token of several sequences. Op by op they take turns, each with its keys copied together: the
   * reference for the graph that runs them at once.
   */
  decode({ ids, positions, bases, tail, tailStarts }: DecodeInput): DecodeOutput {
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
      const grown = (which: 'k' | 'v'): Tensor5D => {
        const fresh = tf.stack(
          rows.map((row) => row[which]),
          1,
        ) as Tensor5D; // [layers, rows, kvHeads, 1, headDim]
        return tail ? tf.concat([tail[which], fresh], 3) : fresh;
      };
      const logits = tf.concat(
        rows.map((row) => row.logits),
        0,
      ); // [rows, vocab]
      return { logits, tail: { k: grown('k'), v: grown('v') } };
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

  #embed(ids: Int32Array): Tensor2D {
    return this.#tf.gather(this.#weights.embedding, this.#tf.tensor1d(ids, 'int32')); // [rows, hidden]
  }

  #prepareRows(input: ForwardInput): Rows {
    const keys = keyPositions(input);
    const mask = visibilityMask(input.positions, keys);
    return {
      rotary: this.#rotary.rows(input.positions),
      mask: mask && this.#tf.tensor2d(mask, [input.positions.length, keys.length]),
    };
  }

  #normalise(x: Tensor2D): Tensor2D {
    const tf = this.#tf;
    const meanSquare = tf.mean(tf.square(x), -1, true); // [rows, 1]
    return tf.mul(x, tf.rsqrt(tf.add(meanSquare, this.config.rmsEps)));
  }

  #project(
    weights: LayerWeights,
    x: Tensor2D,
    rotary: RotaryRows,
  ): LayerKv & { readonly q: Tensor3D } {
    const tf = this.#tf;
    const { numHeads, numKvHeads, headDim } = this.config;
    const rows = x.shape[0];
    const rotated = numHeads + numKvHeads;
    const qkv = tf.matMul(this.#normalise(x), weights.qkv); // [rows, (heads + 2 kvHeads) * headDim]
    const heads = tf.reshape(qkv, [rows, rotated + numKvHeads, headDim]);
    const byHead = tf.transpose(heads, [1, 0, 2]) as Tensor3D; // [heads + 2 kvHeads, rows, headDim]
    const qk = tf.slice(byHead, [0, 0, 0], [rotated, rows, headDim]);
    const turned = rotate(tf, qk, rotary.cos, rotary.sin);
    return {
      q: tf.slice(turned, [0, 0, 0], [numHeads, rows, headDim]),
      k: tf.slice(turned, [numHeads, 0, 0], [numKvHeads, rows, headDim]),
      v: tf.slice(byHead, [rotated, 0, 0], [numKvHeads, rows, headDim]),
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
      listen?.(this.#attentionWeights(q, kv, mask));
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
    const attention = this.#attentionWeights(
      tail(q, 1) as Tensor3D,
      kv,
      mask && (tail(mask, 0) as Tensor2D),
    );
    listen?.(attention);
    const attended = this.#mix(attention, kv.v, wanted);
    const h = tf.add<Tensor2D>(tail(x, 0), tf.matMul(attended, weights.output)); // [wanted, hidden]
    return tf.add(h, this.#feedForward(weights, h));
  }

  /** Grouped-query attention; query head h reads kv head floor(h / group). */
  #attentionWeights(q: Tensor3D, kv: LayerKv, mask: Tensor2D | null): Tensor3D {
    const tf = this.#tf;
    const { numHeads, numKvHeads, headDim } = this.config;
    const rows = q.shape[1];
    const keys = kv.k.shape[1];
    const group = numHeads / numKvHeads;
    const grouped = tf.reshape<Rank.R3>(q, [numKvHeads, group * rows, headDim]);
    let scores: Tensor = tf.matMul(grouped, kv.k, false, true); // [kvHeads, group * rows, keys]
    if (mask) scores = tf.add(tf.reshape(scores, [numKvHeads, group, rows, keys]), mask);
    return tf.reshape(tf.softmax(scores), [numKvHeads, group * rows, keys]);
  }

  #mix(attention: Tensor3D, v: Tensor3D, rows: number): Tensor2D {
    const tf = this.#tf;
    const { numHeads, headDim } = this.config;
    const mixed = tf.matMul(attention, v); // [kvHeads, group * rows, headDim]
    const byRow = tf.transpose(tf.reshape(mixed, [numHeads, rows, headDim]), [1, 0, 2]);
    return tf.reshape(byRow, [rows, numHeads * headDim]);
  }

  #feedForward(weights: LayerWeights, h: Tensor2D): Tensor2D {
    const tf = this.#tf;
    const gateUp = tf.matMul(this.#normalise(h), weights.gateUp); // [rows, 2 * ffn]
    const [gate, up] = tf.split(gateUp, 2, 1) as [Tensor2D, Tensor2D];
    const silu = tf.mul(gate, tf.sigmoid(gate));
    return tf.matMul(tf.mul<Tensor2D>(silu, up), weights.down); // [rows, hidden]
  }

  #head(x: Tensor2D): Tensor2D {
    const tf = this.#tf;
    const normed = tf.mul<Tensor2D>(this.#normalise(x), this.#weights.outputNorm);
    return tf.matMul(normed, this.#weights.head, false, true); // [rows, vocab]
  }
}
