// The contexts that a serving framework holds for us, by the names that plans use: who may use them, and the news for
// whoever watches. Where a context is, and how many are kept, is the adapter's business.
import {
  EventQueue,
  SegmentNames,
  type StoredContext,
  type StoreEvent,
} from '../../src/protocol/index.ts';

/** A context that is to be kept, without its name. */
export type NewContext = Omit<StoredContext, 'segment'>;

export class ContextBook {
  readonly #generation: string;
  readonly #names: SegmentNames;
  readonly #contexts = new Map<string, StoredContext>();
  readonly #watchers = new Set<EventQueue<StoreEvent>>();

  constructor(generation: string) {
    this.#generation = generation;
    this.#names = new SegmentNames(generation);
  }

  get size(): number {
    return this.#contexts.size;
  }

  get contexts(): StoredContext[] {
    return [...this.#contexts.values()];
  }

  get(segment: string): StoredContext | null {
    return this.#contexts.get(segment) ?? null;
  }

  /** Whether it was ever given out. */
  wasIssued(segment: string): boolean {
    return this.#names.wasIssued(segment);
  }

  /** Of a server that was started anew since. */
  isOtherGeneration(segment: string): boolean {
    return this.#names.isOtherGeneration(segment);
  }

  add(context: NewContext): StoredContext {
    const named = { ...context, segment: this.#names.issue() };
    this.#contexts.set(named.segment, named);
    return named;
  }

  /** Tells the watchers what is gone. */
  remove(segments: readonly string[]): void {
    const gone = segments.filter((segment) => this.#contexts.delete(segment));
    if (gone.length === 0) return;
    for (const watcher of this.#watchers) watcher.push({ type: 'evicted', segments: gone });
  }

  /** What is there now, then what goes. */
  watch(signal: AbortSignal): EventQueue<StoreEvent> {
    const queue = new EventQueue<StoreEvent>();
    queue.push({ type: 'hello', generation: this.#generation, contexts: this.contexts });
    this.#watchers.add(queue);
    const stop = (): void => {
      this.#watchers.delete(queue);
      queue.close();
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    return queue;
  }

  /** Ends all watching: with an error, as a lost connection. */
  disconnect(failure: Error | null): void {
    for (const watcher of this.#watchers) watcher.close(failure);
    this.#watchers.clear();
  }
}
