// Every vector compared, in steps. Exact when it gets to its end; by its deadline, the best found until then.
import type { Query } from './query.ts';
import type { Turns } from './turns.ts';
import type { VectorTable } from './vector-table.ts';

export interface Scan {
  readonly table: VectorTable;
  readonly queries: readonly Query[];
  /** In the time of performance.now(). */
  readonly deadline: number;
  /** Asked between steps: somebody else has the answer. */
  readonly isSettled?: () => boolean;
}

/** True when every vector was compared. */
export async function bruteForce(scan: Scan, turns: Turns): Promise<boolean> {
  let slot = scan.table.size;
  let first = true;
  await turns.run(() => {
    const isOver = !first && (scan.isSettled?.() === true || performance.now() > scan.deadline);
    first = false;
    if (isOver) return true;
    slot = scan.table.scanStep(slot, scan.queries);
    return slot === 0;
  });
  return slot === 0;
}
