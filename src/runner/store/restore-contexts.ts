// Contexts that an earlier run has left on disk → pages and contexts of this one, as far as the limits allow; the
// oldest are the ones to go. Nothing of a page is read yet: that happens when a request wants it.
import type { StoredContext } from '../../protocol/index.ts';
import type { PageRecord } from './disk/context-file.ts';
import type { DiskStore } from './disk/disk-store.ts';
import { newPage, type KvPage, type PageView } from './kv-page.ts';
import type { PageShape } from './packed-page.ts';
import type { PagePool } from './page-pool.ts';

export interface Restored {
  readonly id: string;
  /** Of its own file. */
  readonly bytes: number;
  readonly context: Omit<StoredContext, 'segment'>;
  readonly views: readonly PageView[];
}

export interface RestoreOptions {
  readonly disk: DiskStore;
  readonly pool: PagePool;
  readonly bytesPerToken: number;
  readonly shapeOf: (numTokens: number) => PageShape;
}

/** Oldest first. Their pages are counted, and have no holders yet. */
export function restoreContexts(options: RestoreOptions): Restored[] {
  const { disk, pool } = options;
  const pages = new Map<string, KvPage>();
  const restored: Restored[] = [];
  let extra = 0;
  for (const { id, bytes, record } of [...disk.found].reverse()) {
    const { context } = record;
    const views = record.views.map(({ page, start, end }) => ({
      page: pages.get(page.id) ?? pageOnDisk(page, context.scope, options),
      start,
      end,
    }));
    const agrees = views.every(({ page }, i) => isSame(page, record.views[i]!.page, context.scope));
    const fresh = new Set(views.map(({ page }) => page).filter((page) => !pool.disk.has(page)));
    const room = [...fresh].reduce((sum, page) => sum + page.file!.bytes, extra + bytes);
    if (!agrees || pool.disk.lacks(room, context.scope) !== null) {
      disk.removeContext(id);
      continue;
    }
    extra += bytes;
    for (const page of fresh) {
      pages.set(page.file!.id, page);
      pool.setFile(page, page.file!);
    }
    restored.push({ id, bytes, context, views });
  }
  removeOthers(disk, pages);
  return restored.reverse();
}

function pageOnDisk(record: PageRecord, scope: string, options: RestoreOptions): KvPage {
  const { id, digest, format, numTokens } = record;
  const page = newPage(scope, options.shapeOf(numTokens), numTokens * options.bytesPerToken);
  page.file = { id, digest, format, bytes: options.disk.bytesOf(page, format) };
  return page;
}

/** Contexts that share a page must say the same of it. */
const isSame = ({ file, shape, scope }: KvPage, record: PageRecord, wanted: string): boolean =>
  scope === wanted &&
  shape.numTokens === record.numTokens &&
  file?.digest === record.digest &&
  file.format === record.format;

function removeOthers(disk: DiskStore, pages: ReadonlyMap<string, KvPage>): void {
  for (const { record } of disk.found) {
    for (const { page } of record.views) if (!pages.has(page.id)) disk.removePage(page);
  }
}
