// Any number of rows through any of the layers, one chunk a step: no mask is ever larger than a chunk's
// rows x all keys, and a request can be cancelled between two chunks.
import type { Rank, Tensor2D } from '@tensorflow/tfjs-core';
import type { TokenRange } from '../../kv/index.ts';
import {
  keyPositions,
  type ForwardOutput,
  type ForwardPart,
  type Transformer,
} from '../model/transformer.ts';
import type { KvStore } from '../store/kv-store.ts';
import type { LiveKv } from './live-kv.ts';
import type { Sequence } from './sequence.ts';

export interface StepContext {
  readonly model: Transformer;
  readonly store: KvStore;
  /** Most rows of the next step. */
  readonly chunkSize: () => number;
}

export interface RowsInput {
  /** Target positions, ascending. */
  readonly positions: Int32Array;
  /** Where the keys are and the fresh ones go: it holds the part's layers only. */
  readonly kv: LiveKv;
  /** `hidden` is that of all rows. Absent = all layers. */
  readonly part?: ForwardPart | undefined;
  readonly logits: boolean;
  /** Called behind each chunk; `hidden` is its own to keep. */
  readonly onChunk?: (output: ForwardOutput, keys: Int32Array) => void;
}

/** Pauses between chunks. The logits are those behind the last row; empty when not asked for. */
export function* forwardRows(
  sequence: Sequence,
  step: StepContext,
  input: RowsInput,
): Generator<undefined, Float32Array, undefined> {
  const { positions } = input;
  let logits = new Float32Array(0);
  for (let start = 0; start < positions.length;) {
    if (start > 0) yield;
    const end = Math.min(start + step.chunkSize(), positions.length);
    logits = forwardChunk(sequence, step, input, { start, end }) ?? logits;
    start = end;
  }
  return logits;
}

function forwardChunk(
  sequence: Sequence,
  { model }: StepContext,
  { positions, kv, part, logits, onChunk }: RowsInput,
  { start, end }: TokenRange,
): Float32Array<ArrayBuffer> | null {
  const rows = positions.slice(start, end);
  const last = end === positions.length;
  const hidden = part?.hidden
    ? model.tf.slice<Rank.R2, Tensor2D>(part.hidden, [start, 0], [rows.length, -1])
    : null;
  const input = {
    ids: Int32Array.from(rows, (at) => sequence.request.tokens[at]!),
    positions: rows,
    past: kv.joined(model.tf),
    pastPositions: kv.positions,
    logitRows: logits && last ? 1 : 0,
    ...(part && { part: { ...part, hidden } }),
  };
  let output: ForwardOutput;
  try {
    output = model.forward(input);
  } finally {
    hidden?.dispose();
  }
  kv.append(output.kv, rows);
  sequence.timings.overheadMs += output.overheadMs;
  if (logits) sequence.computed += rows.length;
  sequence.layerTokens += rows.length * (part ? part.end - part.first : model.config.numLayers);
  onChunk?.(output, keyPositions(input));
  const values = output.logits?.dataSync<'float32'>();
  output.logits?.dispose();
  return values ? new Float32Array(values) : null;
}
