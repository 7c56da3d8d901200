// An operator's hands in a store: look, delete, keep.
import type { StoreControl, StoredReport, StoreTier } from '../../protocol/index.ts';
import type { KvPage } from './kv-page.ts';
import type { KvStore } from './kv-store.ts';

const slowness: readonly StoreTier[] = ['live', 'host', 'disk'];

/** The fastest place that has it. */
const tierOf = ({ live, packed }: KvPage): StoreTier => (live ? 'live' : packed ? 'host' : 'disk');

const slowest = (pages: readonly KvPage[]): StoreTier =>
  slowness[Math.max(0, ...pages.map((page) => slowness.indexOf(tierOf(page))))]!;

export function controlStore(store: KvStore): StoreControl {
  const known = (segments: readonly string[]): string[] =>
    [...new Set(segments)].filter((segment) => store.pagesOf(segment) !== null);
  return {
    list: () => {
      const reports = store.contexts().map(({ segment }): StoredReport => ({
        segment,
        tier: slowest(store.pagesOf(segment)!),
        pinnedForMs: store.contextPins.leftMs(segment),
      }));
      return Promise.resolve(reports);
    },
    remove: async (segments) => {
      const removed = known(segments);
      await store.remove(removed);
      return removed;
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    pin: async (segments, ms) => {
      const pinned = known(segments);
      const pages = pinned.map((segment) => store.pagesOf(segment)!);
      store.contextPins.checkRoom(pages.flat());
      pinned.forEach((segment, i) => store.contextPins.hold(segment, pages[i]!, ms));
      return pinned;
    },
    unpin: (segments) =>
      Promise.resolve(known(segments).filter((segment) => store.contextPins.release(segment))),
  };
}
