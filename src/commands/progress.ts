// Progress on stderr: one line that rewrites itself on a terminal; in a log a line per phase and per quarter.
import { stderrIsTerminal } from '../config.ts';

const MIB = 2 ** 20;
const EVERY_MS = 200;

export interface ProgressStep {
  readonly phase: string;
  readonly bytes?: number;
  readonly totalBytes?: number | null;
}

const size = ({ bytes, totalBytes }: ProgressStep): string => {
  if (bytes === undefined) return '';
  const total = totalBytes ? ` of ${(totalBytes / MIB).toFixed(0)}` : '';
  return ` ${(bytes / MIB).toFixed(0)}${total} MiB`;
};

/** A function to feed with steps; call `end` once. */
export function progressPrinter(): {
  step: (step: ProgressStep) => void;
  end: () => void;
} {
  const out = process.stderr;
  const isShown = stderrIsTerminal();
  let lastPhase = '';
  let lastQuarter = 0;
  let lastAt = -Infinity;
  let open = false;
  return {
    step: (step) => {
      const now = performance.now();
      const changed = step.phase !== lastPhase;
      const quarter = Math.floor((4 * (step.bytes ?? 0)) / (step.totalBytes ?? Infinity));
      const due = isShown ? now - lastAt >= EVERY_MS : quarter > lastQuarter;
      if (!changed && !due) return;
      const line = `${step.phase}${size(step)}`;
      if (isShown) out.write(`${changed && open ? '\n' : '\r'}\u001b[K${line}`);
      else out.write(`${line}\n`);
      open = isShown;
      lastPhase = step.phase;
      lastQuarter = quarter;
      lastAt = now;
    },
    end: () => {
      if (open) out.write('\n');
      open = false;
    },
  };
}
