// A prefill whose plan asks for more than ranges. Up to three stages, each in chunks:
//
//   shallow   the first layers, for every token that is not exactly imported (semantic: so that no token starts from
//             another's embedding; CacheBlend and DHD: layers 0 and 1, where V shows what is off)
//   scoring   the plan's tokens over the imported KV, to see what they attend to (query-attention; thrown away)
//   deep      the other layers, for the plan's tokens and those that the scores picked
//
// The set that is computed only shrinks with depth. CacheBlend (arXiv 2405.16444) §4.3, KVShare v2 (2503.16525) §4.3.
import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { ReusePlan } from '../../protocol/index.ts';
import type { LayerKv, Transformer } from '../model/transformer.ts';
import { GrowingKv } from './growing-kv.ts';
import { disposeKv, joinPositions, rowsByPosition, takeRows } from './kv-rows.ts';
import { pickTokens } from './pick-tokens.ts';
import { KeyAttention, valueDistance } from './token-scores.ts';

export interface StagedInput {
  readonly model: Transformer;
  readonly tokens: readonly number[];
  readonly plan: Pick<ReusePlan, 'topUp' | 'fullLayers'>;
  /** All layers; ownership passes here. */
  readonly imported: { readonly kv: readonly LayerKv[]; readonly positions: Int32Array };
  /** Whether the imported token at a position is exact. */
  readonly isExact: (position: number) => boolean;
  /** Positions that the plan computes, ascending. */
  readonly recompute: Int32Array;
}

export interface StagedResult {
  readonly kv: readonly LayerKv[];
  readonly positions: Int32Array;
  readonly logits: Tensor2D; // [1, vocab]
  /** Tokens computed through the deep layers. */
  readonly computed: number;
  /** Imported tokens that could still be refreshed, worst off first. */
  readonly left: Int32Array;
}

/** Deviation is read off V at this layer (CacheBlend §4.3: the first whose V depends on the context). */
const SCORED_LAYER = 1;

export class StagedPrefill {
  readonly #input: StagedInput;
  readonly #numLayers: number;
  readonly #shallowLayers: number;
  readonly #attention: KeyAttention;
  #stage: 'shallow' | 'scoring' | 'deep';
  #pending: Int32Array;
  #shallow: GrowingKv;
  #scoring: GrowingKv | null = null;
  #deep: GrowingKv | null = null;
  /** By chunk, in the order of #shallowRows. */
  #hidden: Tensor2D[] = [];
  #shallowRows = new Int32Array(0);
  #recompute: Int32Array;
  #left = new Int32Array(0);
  #imported: readonly LayerKv[] | null;
  /** Layer-tokens with fresh Q, K, V so far. */
  layerTokens = 0;
  overheadMs = 0;

  constructor(input: StagedInput) {
    const { model, plan, tokens, imported, recompute } = input;
    this.#input = input;
    this.#numLayers = model.config.numLayers;
    if (this.#numLayers <= SCORED_LAYER + 1) throw new Error('too few layers to score');
    const scoresValues = plan.topUp !== null && plan.topUp.selector !== 'query-attention';
    const least = scoresValues ? SCORED_LAYER + 1 : 0;
    this.#shallowLayers = Math.min(Math.max(plan.fullLayers, least), this.#numLayers - 1);
    this.#attention = new KeyAttention(tokens.length);
    this.#imported = imported.kv;
    const exactRows = this.#importedRows((at) => input.isExact(at));
    const exact = this.#positionsOf(exactRows);
    const shallowKv = takeRows(model.tf, imported.kv.slice(0, this.#shallowLayers), exactRows);
    this.#shallow = new GrowingKv(shallowKv, exact);
    this.#stage = this.#shallowLayers > 0 ? 'shallow' : this.#stageBehindShallow();
    const isThere = new Set(exact);
    const others = Int32Array.from(tokens.keys()).filter((at) => !isThere.has(at));
    // Every layer in full is a prefill behind the exact prefix.
    this.#recompute = plan.fullLayers >= this.#numLayers ? others : recompute;
    this.#pending = this.#stage === 'shallow' ? others : this.#recompute;
    if (this.#stage === 'deep') this.#openDeep();
  }

  /** One chunk; the result when it was the last one. */
  step(chunkTokens: number): StagedResult | null {
    const rows = this.#pending.slice(0, chunkTokens);
    this.#pending = this.#pending.slice(chunkTokens);
    const last = this.#pending.length === 0;
    if (this.#stage === 'shallow') {
      this.#computeShallow(rows);
      if (last) this.#endShallow();
      return null;
    }
    if (this.#stage === 'scoring') {
      this.#computeScores(rows);
      if (last) this.#endScoring();
      return null;
    }
    const logits = this.#computeDeep(rows, last);
    return last ? this.#finish(logits!) : null;
  }

  dispose(): void {
    for (const part of [this.#shallow, this.#scoring, this.#deep]) part?.dispose();
    disposeKv(this.#imported);
    this.#imported = null;
    for (const hidden of this.#hidden) hidden.dispose();
    this.#hidden = [];
  }

  #stageBehindShallow(): 'scoring' | 'deep' {
    return this.#input.plan.topUp?.selector === 'query-attention' ? 'scoring' : 'deep';
  }

  /** Rows of the imported KV whose position passes. */
  #importedRows(passes: (position: number) => boolean): number[] {
    const { positions } = this.#input.imported;
    return Array.from(positions.keys()).filter((row) => passes(positions[row]!));
  }

  #positionsOf(rows: readonly number[]): Int32Array {
    return Int32Array.from(rows, (row) => this.#input.imported.positions[row]!);
  }

  #computeShallow(rows: Int32Array): void {
    const { model, tokens, plan } = this.#input;
    const listens = plan.topUp?.selector === 'dhd';
    const layers = { start: SCORED_LAYER, end: SCORED_LAYER + 1 };
    const output = this.#shallow.compute(model, {
      tokens,
      rows,
      logitRows: 0,
      part: {
        first: 0,
        end: this.#shallowLayers,
        hidden: null,
        ...(listens && { attentionOf: layers }),
      },
    });
    this.#hidden.push(output.hidden!);
    this.#shallowRows = joinPositions(this.#shallowRows, rows);
    if (output.attention) this.#attention.add(output.attention, this.#shallow.positions);
    this.layerTokens += rows.length * this.#shallowLayers;
    this.overheadMs += output.overheadMs;
  }

  #endShallow(): void {
    const { topUp } = this.#input.plan;
    this.#stage = this.#stageBehindShallow();
    this.#pending = this.#recompute;
    if (this.#stage !== 'deep') return;
    if (topUp) {
      const rows = this.#importedRows((at) => !this.#input.isExact(at));
      const positions = this.#positionsOf(rows);
      const scores = this.#valueScores(positions, rows);
      if (topUp.selector === 'dhd') this.#attention.weigh(scores, positions);
      this.#pick(positions, scores);
    }
    this.#openDeep();
  }

  /** How far V of each imported token is off, at the scored layer. */
  #valueScores(positions: Int32Array, rows: readonly number[]): Float32Array {
    const { model, tokens } = this.#input;
    const freshRow = rowsByPosition(this.#shallow.positions, tokens.length);
    const fresh = Array.from(positions, (at) => freshRow[at]!);
    const now = this.#shallow.kv![SCORED_LAYER]!.v;
    return valueDistance(model.tf, this.#imported![SCORED_LAYER]!.v, rows, now, fresh);
  }

  #computeScores(rows: Int32Array): void {
    const { model, tokens } = this.#input;
    if (!this.#scoring) {
      const { positions } = this.#input.imported;
      const all = this.#importedRows(() => true);
      const kv = takeRows(model.tf, this.#imported!.slice(this.#shallowLayers), all);
      this.#scoring = new GrowingKv(kv, positions);
    }
    const part = this.#deepPart(rows);
    const layers = { start: this.#shallowLayers, end: this.#numLayers };
    const output = this.#scoring.compute(model, {
      ...{ tokens, rows, logitRows: 0 },
      part: { ...part, attentionOf: layers },
    });
    part.hidden?.dispose();
    if (output.attention) this.#attention.add(output.attention, this.#scoring.positions);
    this.layerTokens += rows.length * (this.#numLayers - this.#shallowLayers);
    this.overheadMs += output.overheadMs;
  }

  #endScoring(): void {
    this.#scoring?.dispose();
    this.#scoring = null;
    const rows = this.#importedRows((at) => !this.#input.isExact(at));
    const positions = this.#positionsOf(rows);
    this.#pick(positions, this.#attention.of(positions));
    this.#openDeep();
  }

  #pick(positions: Int32Array, scores: Float32Array): void {
    const order = Array.from(positions.keys()).sort((a, b) => positions[a]! - positions[b]!);
    const sorted = {
      positions: Int32Array.from(order, (i) => positions[i]!),
      scores: Float32Array.from(order, (i) => scores[i]!),
    };
    const { picked, left } = pickTokens(sorted, this.#input.plan.topUp!);
    this.#recompute = joinPositions(this.#recompute, picked).sort();
    this.#left = Int32Array.from(left);
  }

  #openDeep(): void {
    const { model } = this.#input;
    const fresh = new Set(this.#recompute);
    const rows = this.#importedRows((at) => !fresh.has(at));
    const kv = takeRows(model.tf, this.#imported!.slice(this.#shallowLayers), rows);
    this.#deep = new GrowingKv(kv, this.#positionsOf(rows));
    disposeKv(this.#imported);
    this.#imported = null;
    this.#stage = 'deep';
    this.#pending = this.#recompute;
  }

  #computeDeep(rows: Int32Array, last: boolean): Tensor2D | null {
    const { model, tokens } = this.#input;
    // Without shallow layers it is a pass like any other, and may run as a graph.
    const part = this.#shallowLayers > 0 ? this.#deepPart(rows) : undefined;
    const output = this.#deep!.compute(model, {
      ...{ tokens, rows, logitRows: last ? 1 : 0 },
      ...(part && { part }),
    });
    part?.hidden?.dispose();
    this.layerTokens += rows.length * (this.#numLayers - this.#shallowLayers);
    this.overheadMs += output.overheadMs;
    return output.logits;
  }

  /** The layers behind the shallow ones, from what these left of the rows; the caller disposes `hidden`. */
  #deepPart(rows: Int32Array): { first: number; end: number; hidden: Tensor2D | null } {
    const { tf } = this.#input.model;
    const place = rowsByPosition(this.#shallowRows, this.#input.tokens.length);
    const hidden =
      this.#shallowLayers === 0
        ? null
        : tf.tidy(() => {
            const all = tf.concat(this.#hidden, 0); // [shallow rows, hidden]
            const index = Array.from(rows, (at) => place[at]!);
            return tf.gather(all, tf.tensor1d(index, 'int32')); // [rows, hidden]
          });
    return { first: this.#shallowLayers, end: this.#numLayers, hidden };
  }

  /** All layers in one order of rows. */
  #finish(logits: Tensor2D): StagedResult {
    const { model, tokens } = this.#input;
    const { positions } = this.#deep!;
    const row = rowsByPosition(this.#shallow.positions, tokens.length);
    const order = Array.from(positions, (at) => row[at]!);
    const shallow = this.#shallowLayers > 0 ? takeRows(model.tf, this.#shallow.kv!, order) : null;
    const kv = [...(shallow ?? []), ...this.#deep!.release()];
    const result = { kv, positions, logits, computed: this.#recompute.length, left: this.#left };
    this.dispose();
    return result;
  }
}
