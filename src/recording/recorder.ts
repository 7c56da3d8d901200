// Appends requests to a file while the sidecar serves (opt-in). Never in the way: when the disk is slow or full,
// lines are dropped and counted, requests are not.
import { createHmac, randomBytes } from 'node:crypto';
import { createWriteStream, statSync, type WriteStream } from 'node:fs';
import { formatLine, type RecordedRequest } from './recorded-request.ts';

export interface RecorderOptions {
  readonly path: string;
  /** Write token ids as they are: whoever has the tokenizer can read the prompts. */
  readonly plainTokens: boolean;
  readonly maxBytes: number;
  readonly onDrop: (why: 'backlog' | 'full' | 'failed') => void;
}

const MAX_BACKLOG_BYTES = 8 * 2 ** 20;

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
  readonly #stream: WriteStream;
  readonly #hasher: TokenHasher | null;
  #bytes: number;
  #failed = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
    // What earlier runs have left in the file counts as well.
    this.#bytes = statSync(options.path, { throwIfNoEntry: false })?.size ?? 0;
    this.#hasher = options.plainTokens ? null : new TokenHasher();
    this.#stream = createWriteStream(options.path, { flags: 'a', mode: 0o600 });
    this.#stream.on('error', () => {
      if (!this.#failed) options.onDrop('failed');
      this.#failed = true;
    });
  }

  record(request: RecordedRequest): void {
    if (this.#failed) return;
    const { maxBytes, onDrop } = this.#options;
    if (this.#stream.writableLength > MAX_BACKLOG_BYTES) {
      onDrop('backlog');
      return;
    }
    const tokens = this.#hasher?.hash(request.tokens) ?? request.tokens;
    const line = formatLine({ ...request, tokens });
    if (this.#bytes + line.length > maxBytes) {
      onDrop('full');
      return;
    }
    this.#bytes += line.length;
    this.#stream.write(line);
  }

  async close(): Promise<void> {
    if (this.#failed) return;
    // `close` comes behind a last error, the callback of `end` may not.
    await new Promise<void>((resolve) => {
      this.#stream.once('close', resolve);
      this.#stream.end();
    });
  }
}
