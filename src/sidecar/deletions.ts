// What has to go and is not known to be gone: from the moment that somebody wants a context deleted it is no donor any
// more, whatever the runner lists when it is reached again, and the runner is asked until it confirms. A runner that
// was restarted gives new names to what is on its disk: then everything that it lists of that scope has to go, as
// nobody can tell which of it is meant. With a file this outlives the sidecar, too.
import { KvShareError } from '../errors.ts';
import type { Runner, StoredContext } from '../protocol/index.ts';
import type { Log } from '../telemetry/index.ts';
import type { DeletionsFile } from './deletions-file.ts';

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
  readonly #runner: Pick<Runner, 'control' | 'info'>;
  readonly #log: Log;
  readonly #file: DeletionsFile | null;
  readonly #pending = new Map<string, Pending>();
  #generation = '';
  /** Whether a restart would not forget what waits. */
  #isKept: boolean;
  /** The file tells of deletions, but not of which: everything that the runner lists first has to go. */
  #isUnknown = false;

  /** Without a file a restart forgets what waits. */
  constructor(
    runner: Pick<Runner, 'control' | 'info'>,
    log: Log,
    file: DeletionsFile | null = null,
  ) {
    this.#runner = runner;
    this.#log = log;
    this.#file = file;
    this.#isKept = file !== null;
    this.#load();
  }

  /** Rejects when the runner does not confirm; then it is asked again later. The names of those that were there. */
  async remove(targets: readonly Target[]): Promise<readonly string[]> {
    for (const target of targets) this.#add(target);
    if (targets.length > 0) this.#save();
    try {
      return await this.#ask(targets.map(({ segment }) => segment));
    } catch (error) {
      throw this.#unconfirmed(error);
    }
  }

  /** They are gone, as the runner says by itself. */
  confirm(segments: readonly string[]): void {
    const before = this.#pending.size;
    for (const segment of segments) this.#pending.delete(segment);
    if (this.#pending.size < before) this.#save();
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
    for (const context of contexts) {
      if (this.#isUnknown || renamed.has(context.scope)) this.#add(context);
    }
    if (this.#isUnknown || renamed.size > 0) this.#save();
    this.#isUnknown = false;
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

  #load(): void {
    try {
      for (const { segment, ...pending } of this.#file?.load() ?? []) {
        this.#pending.set(segment, pending);
      }
    } catch (error) {
      this.#isUnknown = true;
      this.#log.error(
        { name: (error as Error).name },
        'the file of deletions cannot be read: whatever the runner has is deleted',
      );
    }
  }

  #save(): void {
    if (!this.#file) return;
    try {
      this.#file.save([...this.#pending].map(([segment, pending]) => ({ segment, ...pending })));
      this.#isKept = true;
    } catch (error) {
      this.#isKept = false;
      const { name, code } = error as Error & { code?: unknown };
      this.#log.error({ name, code }, 'deletions that wait for the runner could not be written');
    }
  }

  #unconfirmed(error: unknown): unknown {
    if (!(error instanceof KvShareError)) return error;
    const then = this.#isKept
      ? 'it is asked until it does, also after a restart of the sidecar.'
      : 'it is asked until it does, but a sidecar that is restarted before forgets it: delete again then.';
    const message = `Nothing of it is imported from now on. The runner has not confirmed that it is gone; ${then}`;
    return new KvShareError(error.code, `${error.message} ${message}`, error.param);
  }

  async #ask(segments: readonly string[]): Promise<readonly string[]> {
    const { control } = this.#runner;
    if (!control) return [];
    // One that was restarted knows none of these names and would say that nothing of it is there.
    const { generation } = await this.#runner.info();
    if (generation !== this.#generation) {
      const why = 'The runner was restarted and has not said yet what it has.';
      throw new KvShareError('runner_unavailable', why);
    }
    const removed = await control.remove(segments);
    this.confirm(segments);
    return removed;
  }
}
