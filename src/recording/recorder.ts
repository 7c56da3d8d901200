// Appends requests to a file while the sidecar serves (opt-in). Never in the way: when the disk is slow or full,
// lines are dropped and counted, requests are not.
import { createHmac, randomBytes } from 'node:crypto';
import { createWriteStream, statSync, type WriteStream } from 'node:fs';
import { formatLine, type RecordedRequest } from './recorded-request.ts';
import { withoutTenant } from './without-tenant.ts';

export interface RecorderOptions {
  readonly path: string;
  /** Write token ids as they are: whoever has the tokenizer can read the prompts. */
  readonly plainTokens: boolean;
  readonly maxBytes: number;
  readonly onDrop: (why: 'backlog' | 'full' | 'failed') => void;
}

const MAX_BACKLOG_BYTES = 8 * 2 ** 20;
const MAX_HELD = 1_000;

/** Ids → ids that nobody can turn back without the key; equal in, equal out. */
class TokenHasher {
  readonly #key = randomBytes(32);
  readonly #known = new Map<number, number>();

  hash(tokens: Int32Array): Int32Array {
    return tokens.map((id) => this.#hashOne(id));
  }

  #hashOne(id: number): number {
    let hashed = this.#known.get(id);
    if (hashed === undefined) {
      const digest = createHmac('sha256', this.#key).update(`${id}`).digest();
      hashed = digest.readUInt32LE(0) & 0x7fffffff;
      this.#known.set(id, hashed);
    }
    return hashed;
  }
}

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #hasher: TokenHasher | null;
  #stream: WriteStream;
  #bytes: number;
  #failed = false;
  /** While the file is rewritten: lines that come behind it. */
  #held: string[] | null = null;
  #forgetting: Promise<unknown> = Promise.resolve();

  constructor(options: RecorderOptions) {
    this.#options = options;
    // What earlier runs have left in the file counts as well.
    this.#bytes = this.#sizeOnDisk();
    this.#hasher = options.plainTokens ? null : new TokenHasher();
    this.#stream = this.#open();
  }

  record(request: Omit<RecordedRequest, 'plain'>): void {
    if (this.#failed) return;
    const { maxBytes, onDrop } = this.#options;
    const isBehind = this.#held
      ? this.#held.length >= MAX_HELD
      : this.#stream.writableLength > MAX_BACKLOG_BYTES;
    if (isBehind) {
      onDrop('backlog');
      return;
    }
    const tokens = this.#hasher?.hash(request.tokens) ?? request.tokens;
    const line = formatLine({ ...request, plain: this.#hasher === null, tokens });
    if (this.#bytes + line.length > maxBytes) {
      onDrop('full');
      return;
    }
    this.#bytes += line.length;
    if (this.#held) this.#held.push(line);
    else this.#stream.write(line);
  }

  /** Rewrites the file without this tenant's lines, and says how many those were. Rejects when it cannot. */
  forget(tenant: string): Promise<number> {
    const forgotten = this.#forgetting.then(() => this.#forget(tenant));
    this.#forgetting = forgotten.catch(() => undefined);
    return forgotten;
  }

  async close(): Promise<void> {
    await this.#forgetting;
    await this.#end();
  }

  async #forget(tenant: string): Promise<number> {
    this.#held = [];
    try {
      await this.#end();
      return await withoutTenant(this.#options.path, tenant);
    } finally {
      const held = this.#held;
      this.#held = null;
      this.#bytes = this.#sizeOnDisk();
      this.#stream = this.#open();
      for (const line of held) {
        this.#bytes += line.length;
        this.#stream.write(line);
      }
    }
  }

  async #end(): Promise<void> {
    if (this.#failed) return;
    // `close` comes behind a last error, the callback of `end` may not.
    await new Promise<void>((resolve) => {
      this.#stream.once('close', resolve);
      this.#stream.end();
    });
  }

  #sizeOnDisk(): number {
    return statSync(this.#options.path, { throwIfNoEntry: false })?.size ?? 0;
  }

  #open(): WriteStream {
    const { path, onDrop } = this.#options;
    const stream = createWriteStream(path, { flags: 'a', mode: 0o600 });
    stream.on('error', () => {
      if (!this.#failed) onDrop('failed');
      this.#failed = true;
    });
    return stream;
  }
}
