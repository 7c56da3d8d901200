// CONTRACT STUB: helper D replaces this file (keeps the exported names and meanings).
import type { Candidates, Donor } from '../kv/index.ts';

export class DonorIndex {
  add(_donor: Donor): void {
    throw new Error('stub');
  }
  /** False when the segment is not known. */
  remove(_segment: string): boolean {
    throw new Error('stub');
  }
  clear(): void {
    throw new Error('stub');
  }
  candidates(
    _query: { scope: string; owner: string | null; target: Int32Array },
    _minRun: number,
  ): Candidates {
    throw new Error('stub');
  }
  get size(): number {
    throw new Error('stub');
  }
}
