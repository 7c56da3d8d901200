// Any number of rows through any of the layers, one chunk a step: no mask is ever larger than a chunk's
// rows x all keys, and a request can be cancelled between two chunks.
import type { Rank, Tensor2D } from '@tensorflow/tfjs-core';
import type { TokenRange } from '../../kv/index.ts';
import { disposeDrift } from '../model/drift.ts';
import {
  keyPositions,
  type ForwardInput,
  type ForwardOutput,
  type ForwardPart,
  type Transformer,
} from '../model/transformer.ts';
import type { KvStore } from '../store/kv-store.ts';
import type { LiveKv } from './live-kv.ts';
import type { RunDrift } from './run-drift.ts';
import type { Sequence } from './sequence.ts';
import { numbersOf, type Work } from './work.ts';

export interface StepContext {
  readonly model: Transformer;
  readonly store: KvStore;
  /** Most rows of the next step. */
  readonly chunkSize: () => number;
  /** The same where results depend on it: whatever else is running. */
  readonly steadyChunk: number;
}

export interface RowsInput {
  /** Target positions, ascending. */
  readonly positions: Int32Array;
  /** Where the keys are and the fresh ones go: it holds the part's layers only. */
  readonly kv: LiveKv;
  /** `hidden` is that of all rows. Absent = all layers. */
  readonly part?: ForwardPart | undefined;
  readonly logits: boolean;
  /** Moves what was imported by what these rows show; with all layers only. */
  readonly drift?: RunDrift | null;
  /** Called behind each chunk. */
  readonly onChunk?: (chunk: Chunk) => void;
}

/** What a chunk leaves beside its K and V. */
export interface Chunk {
  /** Its own to keep. */
  readonly hidden: Tensor2D | undefined; // [rows, hidden]
  readonly attention: Float32Array | null; // [keys]
  /** Positions of the keys. */
  readonly keys: Int32Array;
}

/** Pauses between chunks. The logits are those behind the last row; empty when not asked for. */
export function* forwardRows(
  sequence: Sequence,
  step: StepContext,
  input: RowsInput,
): Work<Float32Array> {
  const { positions } = input;
  let logits: Float32Array = new Float32Array(0);
  for (let start = 0; start < positions.length;) {
    if (start > 0) yield null;
    const most = input.drift ? step.steadyChunk : step.chunkSize();
    const end = Math.min(start + most, positions.length);
    logits = (yield* forwardChunk(sequence, step, input, { start, end })) ?? logits;
    start = end;
  }
  return logits;
}

/** What the chunk shows about imported runs stays with them. */
function forwardMoved(
  model: Transformer,
  input: ForwardInput,
  kv: LiveKv,
  drift: RunDrift | null,
): ForwardOutput {
  const shown = drift?.of(model.tf, input.positions, input.pastPositions);
  if (!shown) return model.forward(input);
  try {
    const output = model.forward({ ...input, drift: shown });
    kv.replace(output.past!);
    return output;
  } finally {
    disposeDrift(shown);
  }
}

function* forwardChunk(
  sequence: Sequence,
  { model }: StepContext,
  { positions, kv, part, logits, drift, onChunk }: RowsInput,
  { start, end }: TokenRange,
): Work<Float32Array | null> {
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
    output = forwardMoved(model, input, kv, drift ?? null);
  } finally {
    hidden?.dispose();
  }
  kv.append(output.kv, rows);
  sequence.timings.overheadMs += output.overheadMs;
  if (logits) sequence.computed += rows.length;
  sequence.layerTokens += rows.length * (part ? part.end - part.first : model.config.numLayers);
  const attention = output.attention ? yield* numbersOf(output.attention) : null;
  onChunk?.({ hidden: output.hidden, attention, keys: keyPositions(input) });
  return output.logits ? yield* numbersOf(output.logits) : null;
}
