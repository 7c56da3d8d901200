// The port for what turns text into vectors. Similarity only nominates donors; which tokens may be imported is
// decided token by token elsewhere.

export interface Embedder {
  /** Model, version and settings: vectors of two fingerprints must never be compared. */
  readonly fingerprint: string;
  readonly dimension: number;
  /** Cosine above which two prompts are called alike until the stored prompts have shown what is usual. */
  readonly defaultThreshold: number;
  /**
   * One unit vector [dimension] a text, in order; null for a text that says nothing to this embedder. Rejects when
   * the embedder cannot answer: the caller then goes without.
   */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<readonly (Float32Array | null)[]>;
  close(): Promise<void>;
}

/** In place; null when there is no direction. */
export function toUnit(vector: Float32Array): Float32Array | null {
  let sum = 0;
  for (const x of vector) sum += x * x;
  if (!(sum > 0) || !Number.isFinite(sum)) return null;
  const scale = 1 / Math.sqrt(sum);
  for (let i = 0; i < vector.length; i++) vector[i]! *= scale;
  return vector;
}
