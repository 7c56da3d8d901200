// What a step of decoding feeds into its graph, as tensors.
import type { NamedTensorMap } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import { blockTokens, type KvBlock } from '../model/kv-block.ts';
import type { ModelConfig } from '../model/model-config.ts';
import { HIDDEN, type DecodeInput } from '../model/transformer.ts';
import { decodePorts } from './decode-graph.ts';
import { ports } from './llama-parts.ts';

/** The caller owns them. */
export function batchInputs(
  tf: Tf,
  { numHeads, numKvHeads }: ModelConfig,
  { ids, positions, bases, tail, tailStarts }: DecodeInput,
): NamedTensorMap {
  const columns = (tail?.k.shape[3] ?? 0) + 1;
  const lengths = bases.map((base) => (base ? blockTokens(base) : 0));
  const longest = Math.max(...lengths);
  const mask = new Float32Array(ids.length * columns);
  tailStarts.forEach((start, row) => mask.fill(HIDDEN, row * columns, row * columns + start));
  const inputs: NamedTensorMap = {
    [ports.ids]: tf.tensor1d(ids, 'int32'),
    [ports.positions]: tf.tensor1d(positions, 'int32'),
    [decodePorts.tailMask]: tf.tensor4d(mask, [ids.length, 1, 1, columns]),
    [decodePorts.sizes]: tf.tensor1d([longest, columns], 'int32'),
  };
  lengths.forEach((length, row) => {
    const padding = [0, 0, 0, 0, 0, longest - length];
    inputs[decodePorts.padding(row)] = tf.tensor2d(padding, [3, 2], 'int32');
    const scores = [1, numKvHeads, numHeads / numKvHeads, length];
    inputs[decodePorts.scores(row)] = tf.tensor1d(scores, 'int32');
  });
  return inputs;
}

/** The keys that a step reads; they stay the caller's of the step. */
export function batchKeys(
  { bases, tail }: DecodeInput,
  noKeys: KvBlock,
  noTail: NonNullable<DecodeInput['tail']>,
): NamedTensorMap {
  const { k, v } = tail ?? noTail;
  const keys: NamedTensorMap = { [decodePorts.tailK]: k, [decodePorts.tailV]: v };
  bases.forEach((base, row) => {
    keys[decodePorts.baseK(row)] = (base ?? noKeys).k;
    keys[decodePorts.baseV(row)] = (base ?? noKeys).v;
  });
  return keys;
}
