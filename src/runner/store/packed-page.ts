// A page outside the backend: its K and V as bytes, in parts of a few layers, so that no step of packing, hashing
// or writing holds the event loop for more than some milliseconds.
import { packedBytes, type KvFormat } from './page-codec.ts';

/** Of K, and of V: [numLayers, numKvHeads, numTokens, headDim]. */
export interface PageShape {
  readonly numLayers: number;
  readonly numKvHeads: number;
  readonly numTokens: number;
  readonly headDim: number;
}

export interface PackedPage {
  readonly format: KvFormat;
  /** As `partsOf` says. */
  readonly parts: readonly Uint8Array[];
}

/** Layers [firstLayer, firstLayer + numLayers) of K or V. */
export interface PagePart {
  readonly which: 'k' | 'v';
  readonly firstLayer: number;
  readonly numLayers: number;
}

const PART_BYTES = 2 ** 20;

const layerNumbers = ({ numKvHeads, numTokens, headDim }: PageShape): number =>
  numKvHeads * numTokens * headDim;

/** All of K, then all of V. */
export function partsOf(shape: PageShape): PagePart[] {
  const inPart = Math.max(1, Math.floor(PART_BYTES / (layerNumbers(shape) * 4)));
  const parts: PagePart[] = [];
  for (const which of ['k', 'v'] as const) {
    for (let firstLayer = 0; firstLayer < shape.numLayers; firstLayer += inPart) {
      const numLayers = Math.min(inPart, shape.numLayers - firstLayer);
      parts.push({ which, firstLayer, numLayers });
    }
  }
  return parts;
}

export const partNumbers = (shape: PageShape, part: PagePart): number =>
  layerNumbers(shape) * part.numLayers;

export const partBytes = (format: KvFormat, shape: PageShape, part: PagePart): number =>
  packedBytes(format, partNumbers(shape, part), shape.headDim);

/** Bytes of a packed page, known before it exists. */
export const packedPageBytes = (format: KvFormat, shape: PageShape): number =>
  2 * packedBytes(format, layerNumbers(shape) * shape.numLayers, shape.headDim);
