// Bodies on their way in. Whoever sends a head and then nothing takes no place from anybody: reading is bounded by time,
// and by the number and the bytes of all that is half read. Beyond that the oldest gives way to the newest, since an
// honest body is there in a moment.
import type { IncomingMessage } from 'node:http';
import { KvShareError } from '../errors.ts';
import { BodyRead, tooLarge } from './body-read.ts';

/** Bodies of full size that may be half read at the same time. */
const FULL_BODIES = 16;
/** A client without a body costs a socket and some kilobytes. */
const MOST_READS = 1_024;
/** Of the event loop, for what has arrived already: a turn reads a megabyte or two. */
const LAST_TURNS = 16;

export interface BodyBounds {
  /** Of one body. */
  readonly maxBytes: number;
  /** To the last byte, from when it is read. */
  readonly deadlineMs: number;
}

const late = (why: string): KvShareError =>
  new KvShareError('body_timeout', `The body was not there in time: ${why}.`);

export class IncomingBodies {
  readonly maxBytes: number;
  readonly #deadlineMs: number;
  readonly #mostReads: number;
  /** Oldest first. */
  readonly #reads = new Set<BodyRead>();
  #held = 0;

  constructor({ maxBytes, deadlineMs }: BodyBounds, mostReads: number = MOST_READS) {
    this.maxBytes = maxBytes;
    this.#deadlineMs = deadlineMs;
    this.#mostReads = mostReads;
  }

  /** Throws `body_too_large` for one that says it is. */
  check({ headers }: IncomingMessage): void {
    if (Number(headers['content-length'] ?? 0) > this.maxBytes) throw tooLarge(this.maxBytes);
  }

  /** Throws `body_too_large`, `body_timeout` or `request_cancelled`. */
  async read(request: IncomingMessage): Promise<Uint8Array> {
    const { maxBytes } = this;
    this.check(request);
    const onMore = (bytes: number): void => {
      this.#held += bytes;
      this.#makeRoom();
    };
    const read = new BodyRead(request, onMore, maxBytes);
    this.#reads.add(read);
    this.#makeRoom();
    const timer = setTimeout(() => this.#expire(read, LAST_TURNS), this.#deadlineMs);
    try {
      return await read.whole;
    } finally {
      clearTimeout(timer);
      this.#forget(read);
    }
  }

  /** Time is up, but what came while this process was busy with something else is read first. */
  #expire(read: BodyRead, turns: number): void {
    const { size } = read;
    setImmediate(() => {
      if (!this.#reads.has(read)) return;
      if (read.size > size && turns > 0) this.#expire(read, turns - 1);
      else read.fail(late(`${this.#deadlineMs} ms`));
    });
  }

  #makeRoom(): void {
    for (const oldest of this.#reads) {
      const isFull = this.#reads.size > this.#mostReads || this.#held > FULL_BODIES * this.maxBytes;
      if (!isFull) return;
      oldest.fail(late('too many others are being read'));
      this.#forget(oldest);
    }
  }

  #forget(read: BodyRead): void {
    if (this.#reads.delete(read)) this.#held -= read.held;
  }
}
