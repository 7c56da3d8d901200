// Deletions that wait for the runner, in a file: a sidecar that was restarted meanwhile must not import what somebody
// wanted gone. Names of segments and scopes, nothing of anybody's text.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const VERSION = 1;

export interface WaitingDeletion {
  readonly segment: string;
  readonly scope: string;
  /** Of the runner that gave the name. */
  readonly generation: string;
}

const isWaiting = (value: unknown): value is WaitingDeletion => {
  const { segment, scope, generation } = (value ?? {}) as Partial<WaitingDeletion>;
  return [segment, scope, generation].every((name) => typeof name === 'string');
};

export class DeletionsFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Throws when there is a file that cannot be read: starting without it could bring back what was deleted. */
  load(): WaitingDeletion[] {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return [];
      throw error;
    }
    const { version, waiting } = JSON.parse(text) as { version?: unknown; waiting?: unknown };
    if (version !== VERSION || !Array.isArray(waiting) || !waiting.every(isWaiting)) {
      throw new Error('not a file of deletions');
    }
    return waiting;
  }

  /** On disk when it returns; without a file when nothing waits. */
  save(waiting: readonly WaitingDeletion[]): void {
    if (waiting.length === 0) {
      rmSync(this.#path, { force: true });
      return;
    }
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const fresh = `${this.#path}.${process.pid}.new`;
    writeFileSync(fresh, JSON.stringify({ version: VERSION, waiting }), {
      mode: 0o600,
      flush: true,
    });
    renameSync(fresh, this.#path);
  }
}
