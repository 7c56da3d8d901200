// What the runner keeps and moves, as it last said. Its counters start with it: a scraper takes that for a restart.
import { Counter, Gauge, type Registry } from 'prom-client';

interface Size {
  readonly bytes: number;
  readonly maxBytes: number;
}

/** As in the runner's info. */
export interface StoreNumbers extends Size {
  readonly runningBytes?: number;
  readonly contexts: number;
  readonly tiers?: {
    readonly host: Size;
    readonly disk: Size & { readonly isHealthy: boolean };
    readonly movedBytes: Readonly<Record<(typeof ways)[number], number>>;
    readonly pages: Readonly<Record<(typeof fates)[number], number>>;
    readonly refusedContexts: number;
  };
}

const ways = ['toHost', 'toDisk', 'fromHost', 'fromDisk'] as const;
const fates = ['lost', 'damaged', 'notFinite'] as const;

/** Of a runner that has none. */
const NO_TIERS: NonNullable<StoreNumbers['tiers']> = {
  host: { bytes: 0, maxBytes: 0 },
  disk: { bytes: 0, maxBytes: 0, isHealthy: true },
  movedBytes: { toHost: 0, toDisk: 0, fromHost: 0, fromDisk: 0 },
  pages: { lost: 0, damaged: 0, notFinite: 0 },
  refusedContexts: 0,
};

export class StoreMetrics {
  readonly #bytes;
  readonly #maxBytes;
  readonly #running;
  readonly #contexts;
  readonly #healthy;
  readonly #moved;
  readonly #pages;
  readonly #refused;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#bytes = new Gauge({
      name: 'kvshare_store_bytes',
      help: 'KV that the runner keeps, by tier.',
      labelNames: ['tier'],
      registers,
    });
    this.#maxBytes = new Gauge({
      name: 'kvshare_store_max_bytes',
      help: 'KV that the runner may keep, by tier.',
      labelNames: ['tier'],
      registers,
    });
    this.#running = new Gauge({
      name: 'kvshare_running_kv_bytes',
      help: 'KV of requests that are being computed, under the limit of live KV.',
      registers,
    });
    this.#contexts = new Gauge({
      name: 'kvshare_store_contexts',
      help: 'Contexts whose KV the runner keeps.',
      registers,
    });
    this.#healthy = new Gauge({
      name: 'kvshare_store_disk_healthy',
      help: '0 when the last write of KV to disk failed.',
      registers,
    });
    this.#moved = new Counter({
      name: 'kvshare_store_moved_bytes_total',
      help: 'KV copied between tiers, by way.',
      labelNames: ['way'],
      registers,
    });
    this.#pages = new Counter({
      name: 'kvshare_store_dropped_pages_total',
      help: 'Pages of KV that are gone: for want of room, damaged on disk, or no numbers.',
      labelNames: ['fate'],
      registers,
    });
    this.#refused = new Counter({
      name: 'kvshare_store_refused_contexts_total',
      help: 'Contexts not kept because memory was short and nothing like them had been seen.',
      registers,
    });
    this.show({ bytes: 0, maxBytes: 0, contexts: 0 });
  }

  show({ bytes, runningBytes = 0, maxBytes, contexts, tiers = NO_TIERS }: StoreNumbers): void {
    const sizes = { live: { bytes, maxBytes }, host: tiers.host, disk: tiers.disk };
    for (const [tier, size] of Object.entries(sizes)) {
      this.#bytes.set({ tier }, size.bytes);
      this.#maxBytes.set({ tier }, size.maxBytes);
    }
    this.#running.set(runningBytes);
    this.#contexts.set(contexts);
    this.#healthy.set(tiers.disk.isHealthy ? 1 : 0);
    for (const counter of [this.#moved, this.#pages, this.#refused]) counter.reset();
    for (const way of ways) this.#moved.inc({ way }, tiers.movedBytes[way]);
    for (const fate of fates) this.#pages.inc({ fate }, tiers.pages[fate]);
    this.#refused.inc(tiers.refusedContexts);
  }
}
