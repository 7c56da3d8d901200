// Texts are embedded once: what a request was looked up with serves again when its own KV is stored.
import { LRUCache } from 'lru-cache';
import type { Embedder } from '../embed/index.ts';

/** 128 floats a vector: about 2 MB. */
const REMEMBERED = 4096;

export interface PassageText {
  readonly key: string;
  readonly text: () => string;
}

/** A text without a vector must be remembered too. */
interface Known {
  readonly vector: Float32Array | null;
}

export class PassageVectors {
  readonly #embedder: Embedder;
  readonly #known = new LRUCache<string, Known>({ max: REMEMBERED });

  constructor(embedder: Embedder) {
    this.#embedder = embedder;
  }

  async of(passages: readonly PassageText[]): Promise<ReadonlyMap<string, Float32Array | null>> {
    const found = new Map<string, Float32Array | null>();
    const missing = new Map<string, PassageText>();
    for (const passage of passages) {
      const known = this.#known.get(passage.key);
      if (known) found.set(passage.key, known.vector);
      else missing.set(passage.key, passage);
    }
    if (missing.size === 0) return found;
    const vectors = await this.#embedder.embed([...missing.values()].map(({ text }) => text()));
    [...missing.keys()].forEach((key, i) => {
      const vector = vectors[i] ?? null;
      this.#known.set(key, { vector });
      found.set(key, vector);
    });
    return found;
  }
}
