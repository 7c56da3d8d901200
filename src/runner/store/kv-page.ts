// One immutable block of K and V: some consecutive token positions of a context, all layers. Contexts that share a
// prefix share its pages; the last one to let go frees every copy. Where the copies are is up to page-pool.ts.
import type { KvBlock } from '../model/kv-block.ts';
import type { PageFile } from './disk/disk-store.ts';
import type { PackedPage, PageShape } from './packed-page.ts';

export interface KvPage {
  readonly scope: string;
  readonly shape: PageShape;
  /** As live tensors. */
  readonly bytes: number;
  /** Contexts that show some of it. */
  readonly holders: Set<string>;
  /** K (rotated at its own position) and V, each [layers, kvHeads, numTokens, headDim]. */
  live: KvBlock | null;
  /** In host memory. */
  packed: PackedPage | null;
  /** On disk. */
  file: PageFile | null;
  /** Whether `live` has been through a format that rounds. */
  isRounded: boolean;
}

/** Of a page that is nowhere yet. */
export const newPage = (scope: string, shape: PageShape, bytes: number): KvPage => ({
  scope,
  shape,
  bytes,
  holders: new Set(),
  live: null,
  packed: null,
  file: null,
  isRounded: false,
});

/** Tokens [start, end) of a page, as one stretch of a context. */
export interface PageView {
  readonly page: KvPage;
  readonly start: number;
  readonly end: number;
}

export const viewLength = (view: PageView): number => view.end - view.start;

/** The views that cover context positions [0, length). */
export function headViews(views: readonly PageView[], length: number): PageView[] {
  const head: PageView[] = [];
  let left = length;
  for (const view of views) {
    if (left <= 0) break;
    const taken = Math.min(left, viewLength(view));
    head.push({ page: view.page, start: view.start, end: view.start + taken });
    left -= taken;
  }
  return head;
}

/** The pages that hold context positions [start, end). */
export function pagesOf(views: readonly PageView[], start: number, end: number): KvPage[] {
  const pages: KvPage[] = [];
  let at = 0;
  for (const view of views) {
    const next = at + viewLength(view);
    if (next > start && at < end) pages.push(view.page);
    at = next;
  }
  return pages;
}

/** The first of positions [start, end) whose live KV was rounded; `end` when none was. */
export function roundedFrom(views: readonly PageView[], start: number, end: number): number {
  let at = 0;
  for (const view of views) {
    const next = at + viewLength(view);
    if (view.page.isRounded && next > start && at < end) return Math.max(at, start);
    at = next;
  }
  return end;
}

/** The tensors of a page that was brought to life before (KvStore.bring). */
export function liveBlock({ live }: KvPage): KvBlock {
  if (!live) throw new Error('the page is not live');
  return live;
}
