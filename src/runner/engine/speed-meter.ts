// How fast this runner prefills and imports: measured once at start, then followed. The planner's
// break-even rule works with these four numbers, so that they come from this machine, not from a table.
import type { ReceiptTimings, SpeedTable } from '../../protocol/index.ts';
import { disposeBlock } from '../model/kv-block.ts';
import type { Transformer } from '../model/transformer.ts';

const FOLLOW = 0.1;
const SMALL = 16;
const LARGE = 144;
/** Beyond this a large sample would delay the start of a slow backend too much. */
const PATIENCE_MS = 400;

export class SpeedMeter {
  #table: SpeedTable = {
    prefillFixedMs: 50,
    prefillMsPerToken: 2,
    importFixedMs: 5,
    importMsPerToken: 0.04,
  };

  get table(): SpeedTable {
    return this.#table;
  }

  async calibrate(model: Transformer): Promise<void> {
    const timePrefill = async (rows: number): Promise<number> => {
      const start = performance.now();
      const output = model.forward({
        ids: new Int32Array(rows),
        positions: Int32Array.from({ length: rows }, (_, i) => i),
        past: null,
        pastPositions: new Int32Array(0),
        logitRows: 1,
      });
      await output.logits!.data();
      output.logits!.dispose();
      disposeBlock(output.kv);
      return performance.now() - start;
    };
    const { contextLength } = model.config;
    const [few, many] = [Math.min(SMALL, contextLength), Math.min(LARGE, contextLength)];
    await timePrefill(few);
    const small = await timePrefill(few);
    if (small > PATIENCE_MS || many < 2 * few) {
      this.#table = { ...this.#table, prefillFixedMs: small / 4, prefillMsPerToken: small / few };
      return;
    }
    await timePrefill(many);
    const large = await timePrefill(many);
    const perToken = Math.max(0.001, (large - small) / (many - few));
    this.#table = {
      ...this.#table,
      prefillFixedMs: Math.max(0, small - perToken * few),
      prefillMsPerToken: perToken,
    };
  }

  observe(
    counts: { exact: number; imported: number; computed: number },
    timings: ReceiptTimings,
  ): void {
    const { prefillFixedMs, importFixedMs } = this.#table;
    const blend = (old: number, seen: number): number => old + FOLLOW * (Math.max(0, seen) - old);
    const imported = counts.exact + counts.imported;
    this.#table = {
      ...this.#table,
      prefillMsPerToken: blend(
        this.#table.prefillMsPerToken,
        (timings.prefillMs - prefillFixedMs) / counts.computed,
      ),
      ...(imported >= 64 && {
        importMsPerToken: blend(
          this.#table.importMsPerToken,
          (timings.importMs - importFixedMs) / imported,
        ),
      }),
    };
  }
}
