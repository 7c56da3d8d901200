// A small embedder for tests: words hashed to directions, a text their sum. Deterministic; texts that share most of
// their words are alike.
import { toUnit } from '../../src/embed/embedder.ts';
import type { Embedder } from '../../src/embed/index.ts';

const DIMENSION = 64;

const directions = new Map<string, Float32Array>();

function direction(word: string): Float32Array {
  const known = directions.get(word);
  if (known) return known;
  let state = 2166136261;
  for (const c of word) state = Math.imul(state ^ c.charCodeAt(0), 16777619);
  const own = Float32Array.from({ length: DIMENSION }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  directions.set(word, own);
  return own;
}

export function embedText(text: string): Float32Array | null {
  const sum = new Float32Array(DIMENSION);
  for (const [word] of text.matchAll(/\S+/g)) {
    direction(word.toLowerCase()).forEach((x, i) => (sum[i]! += x));
  }
  return toUnit(sum);
}

/** Remembers what it was asked for. */
export function wordEmbedder(
  embed: (text: string) => Float32Array | null = embedText,
): Embedder & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    fingerprint: 'words-in-tests',
    dimension: DIMENSION,
    defaultThreshold: 0.7,
    embed: (texts) => {
      asked.push(...texts);
      return Promise.resolve(texts.map(embed));
    },
    close: () => Promise.resolve(),
  };
}
