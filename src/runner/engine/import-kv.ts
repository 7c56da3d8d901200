// Cached KV → live KV: gathers the imported rows page by page and turns every key from the position it
// was computed at to its target position in one rotation (design: runner rule 1). Rows that the plan
// recomputes are not imported at all. CacheBlend (arXiv 2405.16444) §4.3 for the rotation.
import type { PlanImport } from '../../protocol/index.ts';
import type { Tf } from '../backend/index.ts';
import { joinBlocks, rowTaker, type KvBlock } from '../model/kv-block.ts';
import { rotate, type RotaryTable } from '../model/rotary.ts';
import type { KvPage, PageView } from '../store/kv-page.ts';
import { liveBlock, viewLength } from '../store/kv-page.ts';

/** Rows of one page and where they go. */
interface PageRows {
  readonly page: KvPage;
  readonly rows: number[];
  readonly targets: number[];
  readonly deltas: number[];
}

export interface ImportSource {
  readonly entry: PlanImport;
  readonly views: readonly PageView[];
}

export interface ImportedKv {
  readonly kv: KvBlock;
  /** Target position by row. */
  readonly positions: Int32Array;
}

function collectRows(sources: readonly ImportSource[], skip: Int32Array): PageRows[] {
  const fresh = new Set(skip);
  const byPage = new Map<KvPage, PageRows>();
  for (const { entry, views } of sources) {
    let viewStart = 0;
    for (const view of views) {
      const from = Math.max(entry.donorStart, viewStart);
      const to = Math.min(entry.donorStart + entry.length, viewStart + viewLength(view));
      for (let donor = from; donor < to; donor++) {
        const target = entry.targetStart + donor - entry.donorStart;
        if (fresh.has(target)) continue;
        let group = byPage.get(view.page);
        if (!group) {
          group = { page: view.page, rows: [], targets: [], deltas: [] };
          byPage.set(view.page, group);
        }
        group.rows.push(view.start + donor - viewStart);
        group.targets.push(target);
        group.deltas.push(target - donor);
      }
      viewStart += viewLength(view);
    }
  }
  return [...byPage.values()];
}

export interface ImportOptions {
  /** Target positions that are not imported although a source covers them. */
  readonly skip: Int32Array;
  /** False = keys stay as they were turned at the donor's position (policy `naive`). */
  readonly turnKeys: boolean;
}

/** Null when nothing is left to import. The caller owns the tensors. */
export function importKv(
  tf: Tf,
  rotary: RotaryTable,
  sources: readonly ImportSource[],
  { skip, turnKeys }: ImportOptions,
): ImportedKv | null {
  const groups = collectRows(sources, skip);
  if (groups.length === 0) return null;
  const kv = tf.tidy(() => {
    const parts = groups.map(({ page, rows, deltas }): KvBlock => {
      const take = rowTaker(tf, rows);
      const block = liveBlock(page);
      const k = take(block.k); // [layers, kvHeads, rows, headDim]
      const v = take(block.v); // [layers, kvHeads, rows, headDim]
      if (!turnKeys || deltas.every((delta) => delta === 0)) return { k, v };
      const { cos, sin } = rotary.steps(Int32Array.from(deltas));
      return { k: rotate(tf, k, cos, sin), v };
    });
    return joinBlocks(tf, parts, 'token');
  });
  return { kv, positions: Int32Array.from(groups.flatMap((group) => group.targets)) };
}
