// The shape of one token's K and V and everything that must be equal for KV to be interchangeable.
import { createHash } from 'node:crypto';

/** Layout of K/V: [numLayers, 2, numKvHeads, tokens, headDim] fp32, K rotated at its own position. */
export interface KvLayout {
  readonly numLayers: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly dtype: 'float32';
  /** Rotary base; pairs are (2i, 2i+1) as GGUF stores Llama's q and k. */
  readonly ropeTheta: number;
  readonly ropeDims: number;
}

/** Bytes of K and V for one token over all layers. */
export const bytesPerToken = (layout: KvLayout): number =>
  layout.numLayers * 2 * layout.numKvHeads * layout.headDim * 4;

export interface FingerprintParts {
  readonly layout: KvLayout;
  readonly modelSha256: string;
  /** In which numbers the layers' matrices are multiplied. */
  readonly precision: string;
  readonly tokenizerSha256: string;
  readonly chatTemplateSha256: string;
}

/**
 * SHA-256 over every part, each length-framed so that no two different inputs serialise alike.
 * The key list is spelled out: a new layout field does not compile until somebody decides on it.
 */
export function kvFingerprint(parts: FingerprintParts): string {
  const { layout } = parts;
  const fields: Record<keyof KvLayout | keyof Omit<FingerprintParts, 'layout'>, string | number> = {
    numLayers: layout.numLayers,
    numKvHeads: layout.numKvHeads,
    headDim: layout.headDim,
    dtype: layout.dtype,
    ropeTheta: layout.ropeTheta,
    ropeDims: layout.ropeDims,
    modelSha256: parts.modelSha256,
    precision: parts.precision,
    tokenizerSha256: parts.tokenizerSha256,
    chatTemplateSha256: parts.chatTemplateSha256,
  };
  const hash = createHash('sha256');
  for (const [name, value] of Object.entries(fields)) {
    const text = `${name}=${value}`;
    hash.update(`${text.length}:${text};`);
  }
  return hash.digest('hex').slice(0, 32);
}
