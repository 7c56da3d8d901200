// What the guard knows, in a file: a route that was found wanting stays so over a restart. Names and numbers,
// nothing of anybody's text.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { rungNames, type SavedWatch } from '../routes/index.ts';

/** Changes of so many milliseconds are written at once. */
const DELAY_MS = 1_000;
const VERSION = 1;

interface GuardRecord {
  readonly version: number;
  readonly model: string;
  readonly watches: readonly SavedWatch[];
}

function isWatch(value: unknown): value is SavedWatch {
  const watch = value as Partial<SavedWatch> | null;
  const isSample = (sample: unknown): boolean => {
    const { kl, top1 } = sample as { kl?: unknown; top1?: unknown };
    return typeof kl === 'number' && kl >= 0 && typeof top1 === 'boolean';
  };
  const isCount = (count: unknown): boolean => Number.isInteger(count) && (count as number) >= 0;
  return (
    typeof watch === 'object' &&
    watch !== null &&
    typeof watch.route === 'string' &&
    typeof watch.key === 'string' &&
    ['string', 'undefined'].includes(typeof watch.match) &&
    (watch.tenant === null || ['string', 'undefined'].includes(typeof watch.tenant)) &&
    rungNames.some((name) => name === watch.rung) &&
    isCount(watch.trips) &&
    isCount(watch.compared) &&
    Array.isArray(watch.served) &&
    watch.served.every(isSample) &&
    Array.isArray(watch.tried) &&
    watch.tried.every(isSample)
  );
}

export class GuardFile {
  readonly #path: string;
  readonly #model: string;
  readonly #onFailure: (error: unknown) => void;
  #pending: readonly SavedWatch[] | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(path: string, model: string, onFailure: (error: unknown) => void) {
    this.#path = path;
    this.#model = model;
    this.#onFailure = onFailure;
  }

  /** What was saved for this model; nothing when there is no file, or it is not one of ours. */
  load(): SavedWatch[] {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch {
      return [];
    }
    try {
      const { version, model, watches } = JSON.parse(text) as Partial<GuardRecord>;
      if (version !== VERSION || model !== this.#model || !Array.isArray(watches)) return [];
      return watches.filter(isWatch);
    } catch (error) {
      this.#onFailure(error);
      return [];
    }
  }

  /** Soon; the last one counts. */
  save(watches: readonly SavedWatch[]): void {
    this.#pending = watches;
    this.#timer ??= setTimeout(() => this.flush(), DELAY_MS).unref();
  }

  /** Now. */
  flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.#pending) return;
    const record: GuardRecord = { version: VERSION, model: this.#model, watches: this.#pending };
    this.#pending = null;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      const fresh = `${this.#path}.${process.pid}.new`;
      writeFileSync(fresh, JSON.stringify(record), { mode: 0o600 });
      renameSync(fresh, this.#path);
    } catch (error) {
      this.#onFailure(error);
    }
  }
}
