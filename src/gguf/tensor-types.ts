// The tensor types that are read, by GGUF's numbers: how many weights and bytes a block has, and how it
// becomes fp32.
import { readQ4K, readQ5K, readQ6K } from './dequantize-k.ts';
import {
  readQ40,
  readQ41,
  readQ50,
  readQ51,
  readQ80,
  type BlockReader,
} from './dequantize-legacy.ts';
import { bfloat16ToFloat32, halfToNumber } from './half-float.ts';

export interface TensorType {
  readonly name: string;
  readonly blockWeights: number;
  readonly blockBytes: number;
  readonly decode: (bytes: Uint8Array, numElements: number) => Float32Array;
}

function blocks(name: string, weights: number, size: number, read: BlockReader): TensorType {
  return {
    name,
    blockWeights: weights,
    blockBytes: size,
    decode: (bytes, numElements) => {
      const out = new Float32Array(numElements);
      const count = numElements / weights;
      for (let block = 0; block < count; block++) read(bytes, block * size, out, block * weights);
      return out;
    },
  };
}

/** A copy with its own aligned buffer, so that wider views are possible. */
const aligned = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

const plain = (
  name: string,
  size: number,
  decode: (buffer: ArrayBuffer) => Float32Array,
): TensorType => ({
  name,
  blockWeights: 1,
  blockBytes: size,
  decode: (bytes) => decode(aligned(bytes)),
});

export const tensorTypes: Readonly<Record<number, TensorType>> = {
  0: plain('F32', 4, (buffer) => new Float32Array(buffer)),
  1: plain('F16', 2, (buffer) => Float32Array.from(new Uint16Array(buffer), halfToNumber)),
  2: blocks('Q4_0', 32, 18, readQ40),
  3: blocks('Q4_1', 32, 20, readQ41),
  6: blocks('Q5_0', 32, 22, readQ50),
  7: blocks('Q5_1', 32, 24, readQ51),
  8: blocks('Q8_0', 32, 34, readQ80),
  12: blocks('Q4_K', 256, 144, readQ4K),
  13: blocks('Q5_K', 256, 176, readQ5K),
  14: blocks('Q6_K', 256, 210, readQ6K),
  30: plain('BF16', 2, (buffer) => bfloat16ToFloat32(new Uint16Array(buffer))),
};
