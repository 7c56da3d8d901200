// Cached KV → live KV: gathers the imported rows page by page and turns every key from the position it
// was computed at to its target position in one rotation (design: runner rule 1). Rows that the plan
// recomputes are not imported at all. CacheBlend (arXiv 2405.16444) §4.3 for the rotation.
import type { Tensor3D } from '@tensorflow/tfjs-core';
import { positions, type TokenRange } from '../../kv/index.ts';
import type { PlanImport } from '../../protocol/index.ts';
import type { Tf } from '../backend/index.ts';
import { rotate, type RotaryTable } from '../model/rotary.ts';
import type { LayerKv } from '../model/transformer.ts';
import type { KvPage, PageView } from '../store/kv-page.ts';
import { viewLength } from '../store/kv-page.ts';

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
  readonly kv: readonly LayerKv[];
  /** Target position by row. */
  readonly positions: Int32Array;
}

function collectRows(
  sources: readonly ImportSource[],
  recompute: readonly TokenRange[],
): PageRows[] {
  const fresh = new Set(positions(recompute));
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

/** How to take a group's rows from a [heads, tokens, dim] tensor: a slice when they are consecutive. */
function rowTaker(tf: Tf, group: PageRows): (t: Tensor3D) => Tensor3D {
  const first = group.rows[0]!;
  const count = group.rows.length;
  if (group.rows.every((row, i) => row === first + i)) {
    return (t) => tf.slice(t, [0, first, 0], [t.shape[0], count, t.shape[2]]);
  }
  const index = tf.tensor1d(group.rows, 'int32');
  return (t) => tf.gather(t, index, 1);
}

/**
 * Null when nothing is left to import. The caller owns the tensors. `turns` false leaves keys as they were at their
 * old position (policy `naive`, to show what that does).
 */
export function importKv(
  tf: Tf,
  rotary: RotaryTable,
  sources: readonly ImportSource[],
  recompute: readonly TokenRange[],
  turns = true,
): ImportedKv | null {
  const groups = collectRows(sources, recompute);
  if (groups.length === 0) return null;
  const deltas = groups.flatMap((group) => group.deltas);
  const numLayers = groups[0]!.page.kv.length;
  const kv = tf.tidy(() => {
    const moved = turns && deltas.some((delta) => delta !== 0) ? rotary.rows(deltas) : null;
    const takers = groups.map((group) => rowTaker(tf, group));
    const join = (at: number, which: 'k' | 'v'): Tensor3D => {
      const parts = groups.map((group, i) => takers[i]!(group.page.kv[at]![which]));
      return parts.length === 1 ? parts[0]! : tf.concat(parts, 1);
    };
    return Array.from({ length: numLayers }, (_, at): LayerKv => {
      const k = join(at, 'k'); // [kvHeads, rows, headDim]
      return { k: moved ? rotate(tf, k, moved.cos, moved.sin) : k, v: join(at, 'v') };
    });
  });
  return { kv, positions: Int32Array.from(groups.flatMap((group) => group.targets)) };
}
