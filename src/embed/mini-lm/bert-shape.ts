// What a BERT encoder is made of: sizes, and the names and shapes its weights have on disk (as in the `transformers`
// library; a dense layer is stored [out, in]).
import type { Shapes } from '../safetensors.ts';

export interface BertShape {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly inner: number;
  readonly vocabulary: number;
  readonly positions: number;
  readonly layerNormEpsilon: number;
}

/** all-MiniLM-L6-v2, from its config.json. */
export const miniLmShape: BertShape = {
  layers: 6,
  hidden: 384,
  heads: 12,
  inner: 1536,
  vocabulary: 30_522,
  positions: 512,
  layerNormEpsilon: 1e-12,
};

export const WORDS = 'embeddings.word_embeddings.weight';
export const POSITIONS = 'embeddings.position_embeddings.weight';
export const TYPES = 'embeddings.token_type_embeddings.weight';
export const EMBEDDING_NORM = 'embeddings.LayerNorm';

/** Prefixes of the parts of one layer; `.weight` and `.bias` follow. */
export const layerParts = (layer: number) => {
  const at = `encoder.layer.${layer}`;
  return {
    query: `${at}.attention.self.query`,
    key: `${at}.attention.self.key`,
    value: `${at}.attention.self.value`,
    attended: `${at}.attention.output.dense`,
    attentionNorm: `${at}.attention.output.LayerNorm`,
    widen: `${at}.intermediate.dense`,
    narrow: `${at}.output.dense`,
    outputNorm: `${at}.output.LayerNorm`,
  };
};

const norm = (name: string, width: number): Shapes => ({
  [`${name}.weight`]: [width],
  [`${name}.bias`]: [width],
});

const dense = (name: string, from: number, to: number): Shapes => ({
  [`${name}.weight`]: [to, from],
  [`${name}.bias`]: [to],
});

function layerShapes(layer: number, { hidden, inner }: BertShape): Shapes {
  const part = layerParts(layer);
  return {
    ...dense(part.query, hidden, hidden),
    ...dense(part.key, hidden, hidden),
    ...dense(part.value, hidden, hidden),
    ...dense(part.attended, hidden, hidden),
    ...norm(part.attentionNorm, hidden),
    ...dense(part.widen, hidden, inner),
    ...dense(part.narrow, inner, hidden),
    ...norm(part.outputNorm, hidden),
  };
}

/** Every tensor the forward pass reads. */
export function weightShapes(shape: BertShape): Shapes {
  const { layers, hidden, vocabulary, positions } = shape;
  const shapes: Record<string, readonly number[]> = {
    [WORDS]: [vocabulary, hidden],
    [POSITIONS]: [positions, hidden],
    [TYPES]: [2, hidden],
    ...norm(EMBEDDING_NORM, hidden),
  };
  for (let layer = 0; layer < layers; layer++) Object.assign(shapes, layerShapes(layer, shape));
  return shapes;
}

/** Also in the file: a buffer of position numbers, and a head that mean pooling does without. */
export const unusedShapes = ({ hidden, positions }: BertShape): Shapes => ({
  'embeddings.position_ids': [1, positions],
  ...dense('pooler.dense', hidden, hidden),
});
