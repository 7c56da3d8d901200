// What the server keeps for later requests: contexts in slots, and in files when a slot is needed for something else. A
// slot's content has one scope; nobody else's request is ever sent to it before it is gone.
import type { GenerateRequest, StoredContext } from '../../src/protocol/index.ts';
import { ContextBook, type NewContext } from '../kit/context-book.ts';
import type { LlamaServer } from './llama-server.ts';
import { SavedContexts } from './saved-contexts.ts';
import { commonPrefix, serves, type Reuse } from './slot-plan.ts';
import type { Slot, SlotTable } from './slot-table.ts';

/** Fewer tokens than this are computed again rather than saved. */
const WORTH_SAVING = 32;

export interface KeeperOptions {
  readonly server: LlamaServer;
  readonly book: ContextBook;
  readonly slots: SlotTable;
  /** Null = contexts live in slots alone. */
  readonly saved: SavedContexts | null;
  readonly onProblem: (what: string, error: unknown) => void;
}

export class ContextKeeper {
  readonly #options: KeeperOptions;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  contextOf = (slot: Slot): StoredContext | null =>
    slot.segment === null ? null : this.#options.book.get(slot.segment);

  /**
   * Makes the slot hold what the request goes on from; whether it does. What it held before is saved as far as the request
   * would overwrite it and nobody has it yet.
   */
  async prepare(slot: Slot, request: GenerateRequest, reuse: Reuse | null): Promise<boolean> {
    const held = this.contextOf(slot);
    const inPlace = reuse !== null && held !== null && serves(held, request, reuse);
    const kept = inPlace ? commonPrefix(held.tokens, request.tokens) : 0;
    if (held && held.tokens.length - kept >= WORTH_SAVING) await this.#save(slot, held);
    this.leave(slot);
    if (inPlace || !reuse) return inPlace;
    return this.#restore(slot, reuse.segment);
  }

  /** The slot holds this from now on. What it went on from, to its end, need not be kept beside it. */
  keep(slot: Slot, context: NewContext, from: StoredContext | null): StoredContext {
    const { book } = this.#options;
    const stored = book.add(context);
    slot.segment = stored.segment;
    const known = from?.tokens ?? [];
    if (from && commonPrefix(known, context.tokens) === known.length) this.#forget(from.segment);
    return stored;
  }

  /** The slot's content is about to change; what no file has is forgotten. */
  leave(slot: Slot): void {
    const { segment } = slot;
    slot.segment = null;
    if (segment !== null && !this.#options.saved?.has(segment)) this.#forget(segment);
  }

  /** Nothing of what the slot computed may be used again. Throws when the server does not do it. */
  async erase(slot: Slot): Promise<void> {
    this.leave(slot);
    await this.#options.server.erase(slot.id);
  }

  /** Everything in slots is gone: the server went away. */
  forgetSlots(): void {
    for (const slot of this.#options.slots.all) this.leave(slot);
  }

  async #save(slot: Slot, { segment, tokens }: StoredContext): Promise<void> {
    const { saved, server, onProblem } = this.#options;
    if (!saved || saved.has(segment) || !saved.makeRoom(tokens.length)) return;
    try {
      await server.save(slot.id, SavedContexts.fileOf(segment));
      await saved.add(segment, tokens.length);
    } catch (error) {
      onProblem('a context could not be saved to a file', error);
    }
  }

  async #restore(slot: Slot, segment: string): Promise<boolean> {
    const { saved, server, onProblem } = this.#options;
    const file = saved?.find(segment) ?? null;
    if (file === null) return false;
    try {
      await server.restore(slot.id, file);
      return true;
    } catch (error) {
      onProblem('a context could not be read from its file', error);
      saved?.remove(segment);
      this.#forget(segment);
      return false;
    }
  }

  #forget(segment: string): void {
    const { book, saved, slots } = this.#options;
    saved?.remove(segment);
    for (const slot of slots.all) if (slot.segment === segment) slot.segment = null;
    book.remove([segment]);
  }
}
