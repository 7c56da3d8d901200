// The fallback that needs no download: the language model's own token embeddings. As plain means they give .97 to
// unrelated texts, so frequent tokens count less (a / (a + p), Arora et al. 2017; ids of a byte-pair vocabulary go by
// frequency, so p follows Zipf's law), and what any text comes to is taken off. Kept at 128 dimensions by a fixed random projection.
import type { GgufFile } from '../gguf/index.ts';
import { toUnit, type Embedder } from './embedder.ts';
import { usualText } from './usual-text.ts';

const TENSOR = 'token_embd.weight';
const DIMENSION = 128;
/** Share of a token above which it counts less than half. */
const COMMON = 1e-5;
const SEED = 20_260_101;

export interface ModelRowsOptions {
  readonly file: GgufFile;
  readonly encode: (text: string) => Int32Array;
  /** Names the model: vectors of another one mean something else. */
  readonly modelSha256: string;
}

/** Share of each token id in usual text, by Zipf's law. */
function tokenShares(count: number): Float64Array {
  const shares = Float64Array.from({ length: count }, (_, id) => 1 / (id + 1));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => share / total);
}

/** [width, DIMENSION] of +1 and -1: distances survive (Achlioptas 2003). */
function projection(width: number): Int8Array {
  let state = SEED;
  return Int8Array.from({ length: width * DIMENSION }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 31 === 0 ? 1 : -1;
  });
}

/** [tokens, DIMENSION], weighted, with the mean token of `usual` at the origin. */
function project(table: Float32Array, width: number, usual: readonly number[]): Float32Array {
  const count = table.length / width;
  const shares = tokenShares(count);
  const weights = shares.map((share) => COMMON / (COMMON + share));
  const mean = new Float64Array(width);
  let total = 0;
  for (const id of usual) {
    total += weights[id]!;
    for (let i = 0; i < width; i++) mean[i]! += weights[id]! * table[id * width + i]!;
  }
  const signs = projection(width);
  const projected = new Float32Array(count * DIMENSION);
  const sums = new Float64Array(DIMENSION);
  for (let id = 0; id < count; id++) {
    sums.fill(0);
    for (let i = 0; i < width; i++) {
      const x = table[id * width + i]! - mean[i]! / total;
      const base = i * DIMENSION;
      for (let d = 0; d < DIMENSION; d++) sums[d]! += signs[base + d]! * x;
    }
    for (let d = 0; d < DIMENSION; d++) projected[id * DIMENSION + d] = weights[id]! * sums[d]!;
  }
  return projected;
}

/** Throws Error when the file has no such tensor. */
export async function modelRowsEmbedder(options: ModelRowsOptions): Promise<Embedder> {
  const { file, encode, modelSha256 } = options;
  const width = file.tensors.get(TENSOR)?.shape[0];
  if (width === undefined) throw new Error(`the model file has no ${TENSOR}`);
  const rows = project(await file.readTensor(TENSOR), width, Array.from(encode(usualText)));
  const embed = (text: string): Float32Array | null => {
    const sum = new Float32Array(DIMENSION);
    for (const id of encode(text)) {
      const base = id * DIMENSION;
      for (let d = 0; d < DIMENSION; d++) sum[d]! += rows[base + d]!;
    }
    return toUnit(sum);
  };
  return {
    fingerprint: `model-rows-${modelSha256.slice(0, 8)}-${DIMENSION}`,
    dimension: DIMENSION,
    defaultThreshold: 0.9,
    embed: (texts) => Promise.resolve(texts.map(embed)),
    close: () => Promise.resolve(),
  };
}
