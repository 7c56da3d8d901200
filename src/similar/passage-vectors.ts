// Texts are embedded once: what a request was looked up with serves again when its own KV is stored, and, where the
// operator gave a file, after a restart.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Embedder } from '../embed/index.ts';

/** What a few dozen requests under way have looked up; 128 floats a vector: about 1 MB. */
const REMEMBERED = 1024;

export interface PassageText {
  readonly key: string;
  readonly text: () => string;
}

/** A text without a vector must be remembered too. */
interface Known {
  readonly vector: Float32Array | null;
}

/** Keeps vectors by 64 hexadecimal digits, of which the first say whose they are. */
export interface VectorStore {
  get(key: string): Float32Array | undefined;
  set(key: string, vector: Float32Array): void;
  /** Forgets all whose key begins so; '' = all. */
  forget(prefix: string): void;
  /** Resolves when what was set and forgotten so far would outlive the process. Never rejects. */
  flush(): Promise<void>;
}

const hex = (text: string): string => createHash('sha256').update(text).digest('hex');

const SCOPE_DIGITS = 16;
const scopeDigits = (scope: string): string => hex(scope).slice(0, SCOPE_DIGITS);

/** By scope as well: how long a look-up takes must not tell what other tenants have sent. */
const digest = (scope: string, text: string): string =>
  scopeDigits(scope) + hex(`${scope.length}:${scope}${text}`).slice(SCOPE_DIGITS);

/** An embedder need not listen to its signal. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let fail = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    fail = () => reject(signal.reason as Error);
  });
  signal.addEventListener('abort', fail, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', fail);
  }
}

export class PassageVectors {
  readonly #embedder: Embedder;
  readonly #store: VectorStore | null;
  readonly #known = new LRUCache<string, Known>({ max: REMEMBERED });
  /** How often something was forgotten: what was asked for before that is not kept. */
  #forgotten = 0;

  constructor(embedder: Embedder, store: VectorStore | null) {
    this.#embedder = embedder;
    this.#store = store;
  }

  /** Rejects when the embedder does, or with the signal's reason when it takes too long. */
  async of(
    scope: string,
    passages: readonly PassageText[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Float32Array | null>> {
    const found = new Map<string, Float32Array | null>();
    const missing = new Map<string, PassageText>();
    for (const passage of passages) {
      const known = this.#known.get(scope + passage.key);
      if (known) found.set(passage.key, known.vector);
      else missing.set(passage.key, passage);
    }
    const forgotten = this.#forgotten;
    for (const [key, vector] of await this.#embed(scope, [...missing.values()], signal)) {
      if (forgotten === this.#forgotten) this.#known.set(scope + key, { vector });
      found.set(key, vector);
    }
    return found;
  }

  /** Nothing of these scopes is kept, here or in the file; null = of any. */
  async forget(scopes: Iterable<string> | null): Promise<void> {
    this.#forgotten++;
    if (scopes === null) {
      this.#known.clear();
      this.#store?.forget('');
    }
    for (const scope of scopes ?? []) {
      for (const key of [...this.#known.keys()]) if (key.startsWith(scope)) this.#known.delete(key);
      this.#store?.forget(scopeDigits(scope));
    }
    await this.#store?.flush();
  }

  async #embed(
    scope: string,
    passages: readonly PassageText[],
    signal: AbortSignal,
  ): Promise<[string, Float32Array | null][]> {
    const texts = passages.map(({ key, text }) => ({ key, text: text() }));
    const stored = texts.map(({ text }) => this.#store?.get(digest(scope, text)) ?? null);
    const fresh = texts.filter((_, i) => !stored[i]);
    if (fresh.length === 0) return texts.map(({ key }, i) => [key, stored[i]!]);
    const asked = this.#embedder.embed(
      fresh.map(({ text }) => text),
      signal,
    );
    const forgotten = this.#forgotten;
    const vectors = await orAborted(asked, signal);
    fresh.forEach(({ text }, i) => {
      const vector = vectors[i];
      if (vector && forgotten === this.#forgotten) this.#store?.set(digest(scope, text), vector);
    });
    let next = 0;
    return texts.map(({ key }, i) => [key, stored[i] ?? vectors[next++] ?? null]);
  }
}
