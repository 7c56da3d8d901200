// One immutable block of K and V: some consecutive token positions of a context, all layers. Contexts
// that share a prefix share its pages; the last one to let go disposes the tensors.
import { disposeBlock, type KvBlock } from '../model/kv-block.ts';

export interface KvPage {
  /** K (rotated at its own position) and V, each [layers, kvHeads, numTokens, headDim]. */
  readonly kv: KvBlock;
  readonly numTokens: number;
  readonly bytes: number;
  refs: number;
}

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

export const disposePage = (page: KvPage): void => disposeBlock(page.kv);
