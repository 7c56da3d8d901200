// A random Llama of a few thousand weights, small enough for the plain-TypeScript oracle.
import { seededRandom } from '../../src/runner/engine/sampler.ts';
import type { OracleModel } from './oracle.ts';

const shape = {
  numLayers: 3,
  hiddenSize: 24,
  numHeads: 4,
  numKvHeads: 2,
  headDim: 8,
  ffnSize: 40,
  rmsEps: 1e-5,
  ropeTheta: 1000,
};

export type TinyShape = typeof shape;

export function tinyModel(
  vocabSize: number,
  seed = 1,
  other: Partial<TinyShape> = {},
): OracleModel {
  const own = { ...shape, ...other };
  const random = seededRandom(seed);
  const tensors: OracleModel['tensors'] = new Map();
  const add = (name: string, rows: number, columns: number, gain: number, centre = 0): void => {
    const data = Float32Array.from(
      { length: rows * columns },
      () => centre + (random() * 2 - 1) * gain,
    );
    tensors.set(name, { rows, columns, data });
  };
  const { hiddenSize, numHeads, numKvHeads, headDim, ffnSize } = own;
  add('token_embd.weight', vocabSize, hiddenSize, 1);
  for (let layer = 0; layer < own.numLayers; layer++) {
    const name = (part: string): string => `blk.${layer}.${part}.weight`;
    add(name('attn_norm'), 1, hiddenSize, 0.2, 1);
    add(name('attn_q'), numHeads * headDim, hiddenSize, 0.6);
    add(name('attn_k'), numKvHeads * headDim, hiddenSize, 0.6);
    add(name('attn_v'), numKvHeads * headDim, hiddenSize, 0.4);
    add(name('attn_output'), hiddenSize, numHeads * headDim, 0.4);
    add(name('ffn_norm'), 1, hiddenSize, 0.2, 1);
    add(name('ffn_gate'), ffnSize, hiddenSize, 0.4);
    add(name('ffn_up'), ffnSize, hiddenSize, 0.4);
    add(name('ffn_down'), hiddenSize, ffnSize, 0.3);
  }
  add('output_norm.weight', 1, hiddenSize, 0.2, 1);
  return { ...own, vocabSize, tensors };
}
