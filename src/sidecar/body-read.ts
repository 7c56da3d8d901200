// One body being read: its bytes in one buffer that doubles, so that many small pieces cost no more than few large ones
// (a client that sends four million chunks of one byte would otherwise leave four million objects here).
import type { IncomingMessage } from 'node:http';
import { KvShareError } from '../errors.ts';

const FIRST_BYTES = 4_096;
/** Each piece costs microseconds whatever its size: so many may be smaller than that on average. */
const MOST_SMALL_PIECES = 20_000;
const SMALL = 16;

export class BodyRead {
  /** Rejects with whatever ended it before its end. */
  readonly whole: Promise<Uint8Array>;
  readonly #request: IncomingMessage;
  readonly #onData: (chunk: Buffer) => void;
  #buffer = Buffer.alloc(0);
  #size = 0;
  #pieces = 0;
  #reject: (why: KvShareError) => void = () => undefined;

  /** `onMore` is told when it holds more memory than before. */
  constructor(request: IncomingMessage, onMore: (bytes: number) => void, maxBytes: number) {
    this.#request = request;
    const add = (chunk: Buffer): void => {
      const before = this.#buffer.length;
      this.#add(chunk, maxBytes);
      if (this.#buffer.length > before) onMore(this.#buffer.length - before);
    };
    this.#onData = add;
    this.whole = new Promise((resolve, reject) => {
      this.#reject = reject;
      const onGone = (): void => {
        this.fail(new KvShareError('request_cancelled', 'The client went away.'));
      };
      request.on('error', onGone).on('close', onGone).on('data', add);
      request.on('end', () => {
        request.off('close', onGone);
        resolve(this.#buffer.subarray(0, this.#size));
      });
      // Somebody before us may have paused it.
      request.resume();
      if (request.destroyed) onGone();
    });
  }

  /** Bytes that have come. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of memory. */
  get held(): number {
    return this.#buffer.length;
  }

  /** The rest stays unread. */
  fail(why: KvShareError): void {
    this.#request.off('data', this.#onData).pause();
    this.#reject(why);
  }

  #add(chunk: Buffer, maxBytes: number): void {
    const size = this.#size + chunk.length;
    if (size > maxBytes) {
      this.fail(tooLarge(maxBytes));
      return;
    }
    if (++this.#pieces > MOST_SMALL_PIECES && size < SMALL * this.#pieces) {
      this.fail(
        new KvShareError('body_too_large', 'The body comes in too many pieces of a few bytes.'),
      );
      return;
    }
    if (size > this.#buffer.length) {
      const room = Math.max(size, FIRST_BYTES, 2 * this.#buffer.length);
      const larger = Buffer.alloc(Math.min(maxBytes, room));
      this.#buffer.copy(larger, 0, 0, this.#size);
      this.#buffer = larger;
    }
    chunk.copy(this.#buffer, this.#size);
    this.#size = size;
  }
}

export const tooLarge = (maxBytes: number): KvShareError =>
  new KvShareError('body_too_large', `The body is larger than ${maxBytes} bytes.`);
