// The tiny random model as a GGUF file with its tokenizer, for processes that are given a path.
import { writeFileSync } from 'node:fs';
import type { GgufValue } from '../../src/gguf/index.ts';
import { encodeGguf, float32Tensor, type MetadataValue } from './gguf-writer.ts';
import { tinyGguf } from './tiny-engine.ts';
import { tinyModel, type TinyShape } from './tiny-model.ts';
import { tinyVocabulary } from './tiny-vocabulary.ts';

const FLOATS = new Set(['llama.attention.layer_norm_rms_epsilon', 'llama.rope.freq_base']);

function entryOf(key: string, value: GgufValue): MetadataValue {
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'number') return { type: FLOATS.has(key) ? 'f32' : 'u32', value };
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
    return { type: 'strings', value };
  }
  if (Array.isArray(value)) return { type: 'i32s', value: value as number[] };
  throw new Error(`${key} has a value of another kind`);
}

export function writeTinyFile(
  path: string,
  contextLength: number,
  shape: Partial<TinyShape> = {},
  seed = 1,
): void {
  const vocabulary = tinyVocabulary();
  const size = (vocabulary.get('tokenizer.ggml.tokens') as readonly string[]).length;
  const model = tinyModel(size, seed, shape);
  const { metadata, tensors } = tinyGguf(model, contextLength);
  const entries = [...metadata, ...vocabulary].map(
    ([key, value]) => [key, entryOf(key, value)] as const,
  );
  const written = [...model.tensors].map(
    ([name, { data }]) => [name, float32Tensor(tensors.get(name)!.shape, data)] as const,
  );
  writeFileSync(path, encodeGguf(Object.fromEntries(entries), Object.fromEntries(written)));
}
