// The transformer with its forward pass as one TensorFlow graph, where the backend can run one (the native
// backends). Same inputs, same outputs, same numbers up to summation order; the eager pass stays as the
// reference and serves what the graph does not (logits of more than the last row).
import type {
  NamedTensorMap,
  Rank,
  Tensor1D,
  Tensor2D,
  Tensor4D,
  Tensor5D,
} from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import { disposeDrift } from '../model/drift.ts';
import { disposeBlock, type KvBlock } from '../model/kv-block.ts';
import type { KvTail } from '../model/kv-tail.ts';
import type { ModelConfig } from '../model/model-config.ts';
import {
  Transformer,
  type DecodeOutput,
  type DecodeInput,
  type ForwardInput,
  type ForwardOutput,
} from '../model/transformer.ts';
import { layerMatrices, type ModelWeights } from '../model/weights.ts';
import { batchInputs, batchKeys } from './batch-inputs.ts';
import { addDecodeGraph, decodePorts } from './decode-graph.ts';
import { addAssignment, ASSIGNED, assignmentInputs } from './half-weights.ts';
import { addLlamaGraph, type GraphKind, type GraphSpec } from './llama-graph.ts';
import type { Precision } from '../precisions.ts';
import { ports } from './llama-parts.ts';
import type { GraphBuilder } from './saved-model.ts';
import { runsFunctions } from './load-function.ts';
import type { RunnableGraph } from './load-graph.ts';
import {
  loadFunctions,
  loadSavedModel,
  type GraphForm,
  type SignatureSpec,
} from './load-signatures.ts';

/** What such a graph reads; without logits nothing behind the last layer's K and V runs. */
function weightInputs(
  weights: ModelWeights,
  { first, end, kind }: GraphSpec,
  precision: Precision,
): NamedTensorMap {
  const inputs: NamedTensorMap = first === 0 ? { [ports.embedding]: weights.embedding } : {};
  const lastLayer = weights.layers.length - 1;
  for (let at = first; at < end && precision === 'fp32'; at++) {
    const cut = kind === 'none' && at === lastLayer;
    for (const name of cut ? (['qkv'] as const) : layerMatrices)
      inputs[ports.weight(at, name)] = weights.layers[at]![name];
  }
  if (kind === 'none' || end <= lastLayer) return inputs;
  return { ...inputs, [ports.outputNorm]: weights.outputNorm, [ports.head]: weights.head };
}

const keyOf = ({ first, end, kind, attentionOf, drifts }: GraphSpec): string =>
  [first, end, kind, attentionOf?.start, attentionOf?.end, drifts].join(' ');

const nameOf = ({ kind, drifts }: GraphSpec): string => (drifts ? `${kind}_drift` : kind);

/** How many rows a step of decoding can have. */
const BATCHES = [1, 2, 4, 8];
const kinds: readonly GraphKind[] = ['last-logits', 'none'];
const PART = 'part';

interface LoadedGraph {
  readonly model: RunnableGraph;
  readonly weights: NamedTensorMap;
}

export interface GraphOptions {
  /** fp32 when absent. */
  readonly precision?: Precision;
  /** A function when absent, where the backend has them: its passes take as long on a CPU, it is loaded in a quarter of the time. */
  readonly form?: GraphForm;
}

export class GraphTransformer extends Transformer {
  readonly #weights: ModelWeights;
  readonly form: GraphForm;
  readonly #graphs = new Map<string, LoadedGraph>();
  readonly #loading = new Map<string, Promise<void>>();
  readonly #steps = new Map<number, LoadedGraph>();
  readonly #warm = new Set<number>();
  #hasDrifted = false;
  readonly #noKeys: KvBlock;

  private constructor(tf: Tf, config: ModelConfig, weights: ModelWeights, form: GraphForm) {
    super(tf, config, weights);
    this.#weights = weights;
    this.form = form;
    this.#noKeys = this.#emptyBlock();
  }

  /** Throws when the backend cannot run graphs of this form. */
  static async load(
    tf: Tf,
    config: ModelConfig,
    weights: ModelWeights,
    options: GraphOptions = {},
  ): Promise<GraphTransformer> {
    const { precision = 'fp32', form = runsFunctions(tf) ? 'function' : 'saved-model' } = options;
    const model = new GraphTransformer(tf, config, weights, form);
    const whole = { first: 0, end: config.numLayers, attentionOf: null };
    const specs = [false, true].flatMap((drifts) =>
      kinds.map((kind): GraphSpec => ({ ...whole, kind, drifts })),
    );
    const signatures: SignatureSpec[] = [
      ...specs.map((spec) => ({
        name: nameOf(spec),
        add: (graph: GraphBuilder) => addLlamaGraph(graph, config, spec, precision),
      })),
      ...BATCHES.map((rows) => ({
        name: `step_${rows}`,
        add: (graph: GraphBuilder) => addDecodeGraph(graph, config, rows, precision),
      })),
    ];
    if (precision === 'bf16')
      signatures.push({ name: ASSIGNED, add: (graph) => addAssignment(graph, weights) });
    const loaded =
      form === 'function' ? loadFunctions(tf, signatures) : await loadSavedModel(tf, signatures);
    const inputsOf = (spec: GraphSpec): NamedTensorMap => weightInputs(weights, spec, precision);
    specs.forEach((spec, at) => model.#keep(spec, { model: loaded[at]!, weights: inputsOf(spec) }));
    BATCHES.forEach((rows, at) => {
      const step = loaded[specs.length + at]!;
      model.#steps.set(rows, { model: step, weights: inputsOf(specs[0]!) });
    });
    if (precision === 'bf16') tf.dispose(loaded.at(-1)!.predict(assignmentInputs(weights)));
    return model;
  }

  /** Loads the graph of a part once, in fp32; until a SavedModel is loaded that part runs op by op. */
  prepare(spec: GraphSpec): Promise<void> {
    const key = keyOf(spec);
    const started = this.#loading.get(key);
    if (started) return started;
    const add = (graph: GraphBuilder): void => addLlamaGraph(graph, this.config, spec, 'fp32');
    const signatures = [{ name: PART, add }];
    // A function is there when this returns.
    const load = async (): Promise<void> => {
      const [model] =
        this.form === 'function'
          ? loadFunctions(this.tf, signatures)
          : await loadSavedModel(this.tf, signatures);
      const weights = weightInputs(this.#weights, spec, 'fp32');
      this.#graphs.set(key, { model: model!, weights });
    };
    const loading = load();
    this.#loading.set(key, loading);
    return loading;
  }

  #keep(spec: GraphSpec, graph: LoadedGraph): void {
    this.#graphs.set(keyOf(spec), graph);
    this.#loading.set(keyOf(spec), Promise.resolve());
  }

  override forward(input: ForwardInput): ForwardOutput {
    const graph = input.logitRows > 1 ? undefined : this.#graphOf(input);
    if (!graph) return super.forward(input);
    const start = performance.now();
    const { part, drift } = input;
    const past = input.past ?? this.#emptyBlock(part ? part.end - part.first : undefined);
    const rows: NamedTensorMap = {
      ...(!part?.hidden && { [ports.ids]: this.tf.tensor1d(input.ids, 'int32') }),
      [ports.positions]: this.tf.tensor1d(input.positions, 'int32'),
      [ports.pastPositions]: this.tf.tensor1d(input.pastPositions, 'int32'),
    };
    const overheadMs = performance.now() - start;
    try {
      const output = graph.model.predict({
        ...rows,
        ...(part?.hidden && { [ports.hiddenIn]: part.hidden }),
        ...graph.weights,
        [ports.cos]: this.rotary.table.cos,
        [ports.sin]: this.rotary.table.sin,
        [ports.pastK]: past.k,
        [ports.pastV]: past.v,
        ...(drift && {
          [ports.staleK]: drift.stale.k,
          [ports.staleV]: drift.stale.v,
          [ports.average]: drift.average,
          [ports.runOf]: drift.runOf,
        }),
      });
      return {
        kv: { k: output[ports.k] as Tensor4D, v: output[ports.v] as Tensor4D },
        logits: (output[ports.logits] as Tensor2D | undefined) ?? null,
        hidden: output[ports.hiddenOut] as Tensor2D | undefined,
        attention: output[ports.attention] as Tensor1D | undefined,
        past: drift && {
          k: output[ports.movedK] as Tensor4D,
          v: output[ports.movedV] as Tensor4D,
        },
        overheadMs,
      };
    } finally {
      this.tf.dispose(rows);
      if (past !== input.past) this.tf.dispose(past);
    }
  }

  override decodeRows(sequences: number): number {
    return BATCHES.find((size) => size >= sequences) ?? BATCHES.at(-1)!;
  }

  override decode(input: DecodeInput): DecodeOutput {
    const { tf } = this;
    const rows = input.ids.length;
    const graph = this.#steps.get(rows);
    if (!graph) return super.decode(input);
    this.#warm.add(rows);
    const own = batchInputs(tf, this.config, input);
    const noTail = input.tail ? null : this.#emptyTail(rows);
    try {
      const output = graph.model.predict({
        ...own,
        ...batchKeys(input, this.#noKeys, noTail ?? input.tail!),
        [ports.cos]: this.rotary.table.cos,
        [ports.sin]: this.rotary.table.sin,
        ...graph.weights,
      });
      return {
        logits: output[ports.logits] as Tensor2D,
        tail: {
          k: output[decodePorts.grownK] as Tensor5D,
          v: output[decodePorts.grownV] as Tensor5D,
        },
      };
    } finally {
      tf.dispose(own);
      if (noTail) tf.dispose(noTail);
    }
  }

  /** A graph's first run takes 0.1 (one sequence) to 0.8 s (eight), as a SavedModel 0.4 to 1.1. */
  override warmUp(): boolean {
    if (!this.#hasDrifted) {
      this.#driftOnce();
      return true;
    }
    const rows = BATCHES.find((size) => !this.#warm.has(size));
    if (rows === undefined) return false;
    const { logits, tail } = this.decode({
      ids: new Int32Array(rows),
      positions: new Int32Array(rows),
      bases: new Array<null>(rows).fill(null),
      tail: null,
      tailStarts: new Array<number>(rows).fill(0),
    });
    this.tf.dispose([logits, tail.k, tail.v]);
    return this.#warm.size < BATCHES.length;
  }

  /** What the first prompt with moved text would wait for, up to 0.7 s. */
  #driftOnce(): void {
    const { tf } = this;
    const { numLayers, numKvHeads, headDim } = this.config;
    const shape: [number, number, number, number] = [numLayers, numKvHeads, 1, headDim];
    const [past, stale] = [0, 1].map(() => ({
      k: tf.zeros<Rank.R4>(shape),
      v: tf.zeros<Rank.R4>(shape),
    }));
    const drift = {
      stale: stale!,
      average: tf.zeros<Rank.R3>([1, 1, 1]),
      runOf: tf.zeros<Rank.R1>([1], 'int32'),
    };
    const input = { ids: new Int32Array(1), positions: Int32Array.of(1), logitRows: 1 };
    const output = this.forward({ ...input, past: past!, pastPositions: new Int32Array(1), drift });
    disposeBlock(past!);
    disposeBlock(output.kv);
    disposeBlock(output.past!);
    disposeDrift(drift);
    output.logits?.dispose();
  }

  #emptyTail(rows: number): KvTail {
    const { numLayers, numKvHeads, headDim } = this.config;
    const shape: [number, number, number, number, number] = [
      numLayers,
      rows,
      numKvHeads,
      0,
      headDim,
    ];
    return { k: this.tf.zeros(shape), v: this.tf.zeros(shape) };
  }

  #emptyBlock(layers = this.config.numLayers): KvBlock {
    const { numKvHeads, headDim } = this.config;
    const shape: [number, number, number, number] = [layers, numKvHeads, 0, headDim];
    return { k: this.tf.zeros(shape), v: this.tf.zeros(shape) };
  }

  /** Undefined = a SavedModel that is not loaded yet: the first request that needs it pays with a slower pass, not by waiting. */
  #graphOf({ part, logitRows, drift }: ForwardInput): LoadedGraph | undefined {
    const { numLayers } = this.config;
    const spec: GraphSpec = {
      first: part?.first ?? 0,
      end: part?.end ?? numLayers,
      attentionOf: part?.attentionOf ?? null,
      kind: logitRows === 1 ? 'last-logits' : 'none',
      drifts: drift !== undefined,
    };
    this.#hasDrifted ||= spec.drifts;
    // A graph that cannot be loaded is one that is never used.
    if (!this.#graphs.has(keyOf(spec))) this.prepare(spec).catch(() => undefined);
    return this.#graphs.get(keyOf(spec));
  }
}
