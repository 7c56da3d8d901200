// Contexts that the server has saved to files, so that there may be more of them than slots. The server only writes and
// reads; how many there are, who may read the folder and when a file goes is decided here. A file can be turned back into
// the prompt: it is for this user alone.
import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';

export interface SavedOptions {
  /** What the server was given as --slot-save-path. */
  readonly folder: string;
  readonly maxBytes: number;
  readonly maxContexts: number;
  /** Gone for want of room. */
  readonly onEvict: (segment: string) => void;
}

const SUFFIX = '.kvshare';

export class SavedContexts {
  readonly #options: SavedOptions;
  readonly #files: LRUCache<string, { readonly file: string; readonly bytes: number }>;
  readonly #removing = new Set<Promise<void>>();
  /** Learnt from the files. */
  #bytesPerToken = 0;

  /** Empties the folder of what an earlier process left: nobody knows whose that was. */
  static async open(options: SavedOptions): Promise<SavedContexts> {
    const { folder } = options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    for (const name of await readdir(folder)) {
      if (name.endsWith(SUFFIX)) await rm(join(folder, name), { force: true });
    }
    return new SavedContexts(options);
  }

  private constructor(options: SavedOptions) {
    this.#options = options;
    this.#files = new LRUCache({
      max: options.maxContexts,
      maxSize: options.maxBytes,
      sizeCalculation: ({ bytes }) => bytes,
      dispose: ({ file }, segment, reason) => {
        this.#unlink(file);
        if (reason === 'evict') options.onEvict(segment);
      },
    });
  }

  get bytes(): number {
    return this.#files.calculatedSize;
  }

  static fileOf(segment: string): string {
    return `${segment}${SUFFIX}`;
  }

  pathOf(file: string): string {
    return join(this.#options.folder, file);
  }

  /** The file of a context; counts as a use. */
  find(segment: string): string | null {
    return this.#files.get(segment)?.file ?? null;
  }

  has(segment: string): boolean {
    return this.#files.has(segment);
  }

  /** Before a context is saved; false when there can be no room for so many tokens. */
  makeRoom(tokens: number): boolean {
    const bytes = tokens * this.#bytesPerToken;
    if (bytes > this.#options.maxBytes) return false;
    while (this.#files.size > 0 && this.#files.calculatedSize + bytes > this.#options.maxBytes) {
      this.#files.pop();
    }
    return true;
  }

  /** The server has written it; false when it is too large to keep. Throws when the file is not in our folder. */
  async add(segment: string, tokens: number): Promise<boolean> {
    const file = SavedContexts.fileOf(segment);
    const path = this.pathOf(file);
    await chmod(path, 0o600);
    const { size } = await stat(path);
    this.#bytesPerToken = size / tokens;
    this.#files.set(segment, { file, bytes: size });
    if (this.#files.has(segment)) return true;
    this.#unlink(file);
    return false;
  }

  remove(segment: string): void {
    this.#files.delete(segment);
  }

  async clear(): Promise<void> {
    this.#files.clear();
    await Promise.all(this.#removing);
  }

  #unlink(file: string): void {
    const removed = rm(this.pathOf(file), { force: true }).finally(() => {
      this.#removing.delete(removed);
    });
    this.#removing.add(removed);
  }
}
