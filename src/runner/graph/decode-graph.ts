// One step of decoding for several sequences as one TensorFlow graph: the weights are read once for all of
// them, attention runs over each one's own keys. A sequence's keys come in two parts so that nothing long is
// copied: `base` stays as it is, the short `tail` grows by the fresh key and is given back.
import type { ModelConfig } from '../model/model-config.ts';
import { LlamaParts, ports } from './llama-parts.ts';
import { GraphBuilder, type Node } from './saved-model.ts';

/** Names of the inputs and outputs that each sequence has for itself. */
export const rowPorts = (row: number) => ({
  baseK: `base_k_${row}`,
  baseV: `base_v_${row}`,
  tailK: `tail_k_${row}`,
  tailV: `tail_v_${row}`,
  /** Keys in the base, and in the tail with the fresh one. */
  sizes: `sizes_${row}`,
  k: `k_${row}`,
  v: `v_${row}`,
});

class DecodeRow {
  readonly #parts: LlamaParts;
  readonly #sizes: Node;
  readonly #names: ReturnType<typeof rowPorts>;
  /** By layer [kvHeads, base or tail, dim]. */
  readonly #past: Record<'baseK' | 'baseV' | 'tailK' | 'tailV', Node[]>;
  readonly #tailK: Node[] = []; // by layer [kvHeads, tail + 1, dim]
  readonly #tailV: Node[] = []; // by layer [kvHeads, tail + 1, dim]

  constructor(parts: LlamaParts, config: ModelConfig, row: number) {
    this.#parts = parts;
    this.#names = rowPorts(row);
    const { numLayers, numKvHeads, headDim } = config;
    const { graph } = parts.ops;
    const layers = (name: string): Node[] => {
      const shape = [numLayers, numKvHeads, -1, headDim];
      return parts.ops.unstack(graph.input(name, 'float32', shape), numLayers);
    };
    const { baseK, baseV, tailK, tailV, sizes } = this.#names;
    this.#sizes = graph.input(sizes, 'int32', [2]);
    this.#past = {
      baseK: layers(baseK),
      baseV: layers(baseV),
      tailK: layers(tailK),
      tailV: layers(tailV),
    };
  }

  /** q [kvHeads, group, dim], k and v [kvHeads, 1, dim] → [kvHeads, group, dim] */
  attend(at: number, q: Node, k: Node, v: Node): Node {
    const { ops } = this.#parts;
    const tailK = ops.concat([this.#past.tailK[at]!, k], 1); // [kvHeads, tail + 1, dim]
    const tailV = ops.concat([this.#past.tailV[at]!, v], 1); // [kvHeads, tail + 1, dim]
    this.#tailK.push(tailK);
    this.#tailV.push(tailV);
    const scores = ops.concat(
      [ops.batchMatMul(q, this.#past.baseK[at]!, true), ops.batchMatMul(q, tailK, true)],
      2,
    ); // [kvHeads, group, keys]
    const [ofBase, ofTail] = ops.split(ops.unary('Softmax', scores), this.#sizes, 2, 2);
    return ops.binary(
      'AddV2',
      ops.batchMatMul(ofBase!, this.#past.baseV[at]!),
      ops.batchMatMul(ofTail!, tailV),
    );
  }

  output(): void {
    this.#parts.outputKv(this.#names.k, this.#tailK);
    this.#parts.outputKv(this.#names.v, this.#tailV);
  }
}

/** The content of saved_model.pb for a step of `batch` sequences. */
export function encodeDecodeGraph(config: ModelConfig, batch: number): Uint8Array {
  const graph = new GraphBuilder();
  const parts = new LlamaParts(graph, config, graph.input(ports.positions, 'int32', [-1]));
  const rows = Array.from({ length: batch }, (_, row) => new DecodeRow(parts, config, row));
  const { numHeads, numKvHeads, headDim } = config;
  const byRow = (node: Node, queries: number): Node[] =>
    parts.ops.unstack(parts.ops.reshape(node, [batch, numKvHeads, queries, headDim]), batch);
  let x = parts.embed(); // [batch, hidden]
  for (let at = 0; at < config.numLayers; at++) {
    const { q, k, v } = parts.project(at, x);
    const [qs, ks, vs] = [byRow(q, numHeads / numKvHeads), byRow(k, 1), byRow(v, 1)];
    const mixed = parts.ops.stack(rows.map((row, i) => row.attend(at, qs[i]!, ks[i]!, vs[i]!)));
    x = parts.feed(at, x, parts.ops.reshape(mixed, [batch, numHeads * headDim])); // [batch, hidden]
  }
  graph.output(ports.logits, parts.head(x), 'float32', [-1, config.vocabSize]);
  for (const row of rows) row.output();
  return graph.encode();
}
