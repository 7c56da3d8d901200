// What has to go and is not known to be gone: from the moment that somebody wants a context deleted it is no donor any
// more, whatever the runner lists when it is reached again, and the runner is asked until it confirms. A runner that
// was restarted gives new names to what is on its disk: then everything that it lists of that scope has to go, as
// nobody can tell which of it is meant.
import type { Runner, StoredContext } from '../protocol/index.ts';
import type { Log } from '../telemetry/index.ts';

interface Target {
  readonly segment: string;
  readonly scope: string;
}

interface Pending {
  readonly scope: string;
  /** Of the runner that gave the name. */
  readonly generation: string;
}

export class Deletions {
  readonly #runner: Pick<Runner, 'control'>;
  readonly #log: Log;
  readonly #pending = new Map<string, Pending>();
  #generation = '';

  constructor(runner: Pick<Runner, 'control'>, log: Log) {
    this.#runner = runner;
    this.#log = log;
  }

  /** Rejects when the runner does not confirm; then it is asked again later. The names of those that were there. */
  async remove(targets: readonly Target[]): Promise<readonly string[]> {
    for (const target of targets) this.#add(target);
    return this.#ask(targets.map(({ segment }) => segment));
  }

  /** They are gone, as the runner says by itself. */
  confirm(segments: readonly string[]): void {
    for (const segment of segments) this.#pending.delete(segment);
  }

  /** The contexts of a runner that was reached (again) which may be donors. */
  admit(generation: string, contexts: readonly StoredContext[]): readonly StoredContext[] {
    this.#generation = generation;
    const renamed = new Set<string>();
    for (const [segment, pending] of this.#pending) {
      if (pending.generation === generation) continue;
      renamed.add(pending.scope);
      this.#pending.delete(segment);
    }
    for (const context of contexts) if (renamed.has(context.scope)) this.#add(context);
    return contexts.filter(({ segment }) => !this.#pending.has(segment));
  }

  /** Call now and then while there is a runner that can delete. */
  async retry(): Promise<void> {
    if (this.#pending.size === 0) return;
    try {
      await this.#ask([...this.#pending.keys()]);
    } catch (error) {
      const { name, code } = error as Error & { code?: unknown };
      const waiting = this.#pending.size;
      this.#log.warn({ name, code, waiting }, 'what has to be deleted is still at the runner');
    }
  }

  #add({ segment, scope }: Target): void {
    this.#pending.set(segment, { scope, generation: this.#generation });
  }

  async #ask(segments: readonly string[]): Promise<readonly string[]> {
    const removed = (await this.#runner.control?.remove(segments)) ?? [];
    if (this.#runner.control) this.confirm(segments);
    return removed;
  }
}
