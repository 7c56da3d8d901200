// Nearness of byte vectors and queries, sixteen numbers at a time: WebAssembly's vector instructions take 2 ms for 50,000
// vectors of 128 numbers and six queries, where a loop in JavaScript takes 80. Vectors are copied to the module's memory,
// a chunk at a time: that costs a tenth, and its memory stays small.

/** A vector's bytes are a multiple of it. */
export const STRIDE_UNIT = 16;

/** products.wat, as binary; test/vectors/products.test.ts compiles it again and compares. */
export const moduleBase64 =
  'AGFzbQEAAAABDAFgB39/f39/f38BfwITAQdrdnNoYXJlBm1lbW9yeQIAAQMCAQAHDAEIZmluZE5lYXIAAArnAwHkAwIHfwZ7IAAgASACbGohBwJAIAAgB08NAANAIAAgAmohCCADIQsgCyACQQF0aiEMIAwgAkEBdGohDf0MAAAAAAAAAAAAAAAAAAAAACER/QwAAAAAAAAAAAAAAAAAAAAAIRL9DAAAAAAAAAAAAAAAAAAAAAAhEwNAIAD9AAQAIQ4gDv2HASEPIA79iAEhECARIA8gC/0ABAD9ugEgECAL/QAEEP26Af2uAf2uASERIBIgDyAM/QAEAP26ASAQIAz9AAQQ/boB/a4B/a4BIRIgEyAPIA39AAQA/boBIBAgDf0ABBD9ugH9rgH9rgEhEyALQSBqIQsgDEEgaiEMIA1BIGohDSAAQRBqIQAgACAISQ0ACyARIBL9DQABAgMEBQYHEBESExQVFhcgESAS/Q0ICQoLDA0ODxgZGhscHR4f/a4BIQ8gEyATIBP9DQgJCgsMDQ4PAAECAwQFBgf9rgEhECAPIBD9DQABAgMICQoLEBESExgZGhsgDyAQ/Q0EBQYHDA0ODxQVFhccHR4f/a4BIQ8gD/36ASAEIAlBAnRq/QkCAP3mASEPIA8gBf0ABAD9Rv1TBEAgBiAPIAmz/SAD/QsEACAGQRBqIQYgCkEBaiEKCyAJQQFqIQkgACAHSQ0ACwsgCgs=';

/** Queries that are looked for at a time. */
export const TOGETHER = 3;
/** Numbers of one that is near: its products with the three, and its place among the vectors. */
export const NEAR_SIZE = TOGETHER + 1;

export interface Wanted {
  /** [stride]; a product with any vector is below 2^31. */
  readonly steps: Int16Array;
  /** Product times scale from which on a vector is near. */
  readonly least: number;
}

export interface Products {
  /** vectors: [count, stride]; scales: [count]. The vectors that `findNear` looks at from now on. */
  load(vectors: Int8Array, scales: Float32Array): void;
  /**
   * How many are near one of the three; they are in `near`, [found, 4], in order, each with its products times its
   * scale, until the next call.
   */
  findNear(a: Wanted, b: Wanted, c: Wanted): number;
  readonly near: Float32Array;
}

/** Addresses and sizes, in the order of the text. */
type FindNear = (...numbers: readonly number[]) => number;

/** As far as it is used; Node's types leave it to the browser's. */
declare const WebAssembly: {
  readonly Memory: new (pages: { initial: number; maximum: number }) => { buffer: ArrayBuffer };
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { exports: { findNear: FindNear } };
};

const PAGE = 65_536;

/** For at most `capacity` vectors at a time; null where WebAssembly has no vector instructions. */
export function openProducts(stride: number, capacity: number): Products | null {
  const queriesAt = capacity * stride;
  const leastAt = queriesAt + 2 * TOGETHER * stride;
  const scalesAt = leastAt + 16;
  const nearAt = scalesAt + 4 * capacity;
  const pages = Math.ceil((nearAt + 4 * NEAR_SIZE * capacity) / PAGE);
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const module = new WebAssembly.Module(Buffer.from(moduleBase64, 'base64'));
    const { exports } = new WebAssembly.Instance(module, { kvshare: { memory } });
    const bytes = new Int8Array(memory.buffer, 0, queriesAt);
    const queries = new Int16Array(memory.buffer, queriesAt, TOGETHER * stride);
    const least = new Float32Array(memory.buffer, leastAt, 4);
    const allScales = new Float32Array(memory.buffer, scalesAt, capacity);
    let count = 0;
    return {
      near: new Float32Array(memory.buffer, nearAt, NEAR_SIZE * capacity),
      load(vectors, scales) {
        bytes.set(vectors);
        allScales.set(scales);
        count = scales.length;
      },
      findNear(a, b, c) {
        queries.set(a.steps);
        queries.set(b.steps, stride);
        queries.set(c.steps, 2 * stride);
        least[0] = a.least;
        least[1] = b.least;
        least[2] = least[3] = c.least;
        return exports.findNear(0, count, stride, queriesAt, scalesAt, leastAt, nearAt);
      },
    };
  } catch {
    return null;
  }
}
