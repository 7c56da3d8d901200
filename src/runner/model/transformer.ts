// The decoder-only forward pass over any set of rows (token positions), reading like the figure. It
// knows positions, not plans: imported KV arrives as past keys, fresh K/V joins them before attention,
// and a key is visible when its position is not behind the query's (design: runner rule 2).
import type { Rank, Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import { AttentionSum, type AttentionListener, type LayerRange } from './attention-sum.ts';
import type { ModelConfig } from './model-config.ts';
import { rotate, RotaryTable, type RotaryRows } from './rotary.ts';
import type { LayerWeights, ModelWeights } from './weights.ts';

/** K (rotated) and V of one layer; a type, not an interface, so that tf.tidy takes it. */
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- see above
export type LayerKv = {
  readonly k: Tensor3D; // [kvHeads, keys, headDim]
  readonly v: Tensor3D; // [kvHeads, keys, headDim]
};

export interface ForwardInput {
  readonly ids: Int32Array; // [rows]
  /** Target position of each row, ascending. */
  readonly positions: Int32Array; // [rows]
  /** Keys that exist already, in any order; null = none. */
  readonly past: readonly LayerKv[] | null;
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
  /** Past and fresh keys, in that order. */
  readonly kv: readonly LayerKv[];
  readonly logits: Tensor2D | null; // [logitRows, vocab]
  /** The rows behind the part's last layer when others follow; the caller owns it. */
  readonly hidden?: Tensor2D | undefined; // [rows, hidden]
  /** What all rows and heads of the asked layers attended to each key. */
  readonly attention?: Float32Array | undefined; // [keys]
  /** Milliseconds spent on masks, tables and joining caches, as opposed to the network itself. */
  readonly overheadMs: number;
}

const HIDDEN = -1e9;

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

export class Transformer {
  readonly config: ModelConfig;
  readonly #tf: Tf;
  readonly #weights: ModelWeights;
  readonly #rotary: RotaryTable;

  constructor(tf: Tf, config: ModelConfig, weights: ModelWeights) {
    this.config = config;
    this.#tf = tf;
    this.#weights = weights;
    this.#rotary = new RotaryTable(tf, config.headDim, config.ropeTheta);
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
    const kv: LayerKv[] = [];
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
        let x = input.part?.hidden ?? this.#embed(input.ids); // [rows, hidden]
        for (let at = first; at < end; at++) {
          const last = at === this.config.numLayers - 1;
          x = tf.tidy(() => {
            const fresh = this.#project(this.#weights.layers[at]!, x, rows.rotary);
            const past = input.past?.[at - first];
            const joined = timed(() => (past ? this.#join(past, fresh) : fresh));
            kv.push({ k: tf.keep(joined.k), v: tf.keep(joined.v) });
            // Behind the last layer only rows with logits matter; its K/V are needed for all rows.
            const wanted = last ? outputs : input.ids.length;
            const listen = attention.listener(at);
            return this.#block(at, x, { q: fresh.q, kv: joined, mask: rows.mask, wanted, listen });
          });
        }
        if (goesOn) return [x];
        return outputs === 0 ? [] : [this.#head(x)];
      })[0];
      return {
        kv,
        logits: goesOn ? null : (result ?? null),
        hidden: goesOn ? result : undefined,
        attention: attention.take(),
        overheadMs,
      };
    } catch (error) {
      attention.dispose();
      for (const { k, v } of kv) tf.dispose([k, v]);
      throw error;
    }
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
