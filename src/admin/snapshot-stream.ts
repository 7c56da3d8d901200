// Server-sent events to whoever has the dashboard open: one snapshot for all, a few times a second, whatever the
// traffic. Nobody looks, nothing is made; who reads too slowly misses snapshots, not memory.
import type { Response } from 'express';
import { KvShareError } from '../errors.ts';

const EVERY_MS = 500;
const MOST_CLIENTS = 16;

export class SnapshotStream {
  readonly #snapshot: () => object;
  readonly #clients = new Set<Response>();
  #timer: NodeJS.Timeout | null = null;

  constructor(snapshot: () => object) {
    this.#snapshot = snapshot;
  }

  /** Throws `queue_full`. */
  add(response: Response): void {
    if (this.#clients.size >= MOST_CLIENTS) {
      throw new KvShareError('queue_full', `${MOST_CLIENTS} dashboards are open.`);
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    response.write(this.#event());
    this.#clients.add(response);
    this.#timer ??= setInterval(() => this.#send(), EVERY_MS);
    response.on('close', () => {
      this.#clients.delete(response);
      if (this.#clients.size === 0) this.#stop();
    });
  }

  close(): void {
    this.#stop();
    for (const client of this.#clients) client.end();
  }

  #event(): string {
    return `data: ${JSON.stringify(this.#snapshot())}\n\n`;
  }

  #send(): void {
    const event = this.#event();
    for (const client of this.#clients) if (!client.writableNeedDrain) client.write(event);
  }

  #stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }
}
