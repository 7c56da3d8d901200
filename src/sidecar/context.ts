// What every request of one sidecar shares; made once by create-sidecar.
import type { Runner } from '../protocol/index.ts';
import type { Log, SidecarMetrics } from '../telemetry/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import type { Admission } from './admission.ts';
import type { Endings } from './endings.ts';
import type { PlanFinder } from './find-plan.ts';
import type { KeyRing } from './identify.ts';
import type { Provenance } from './openai-response.ts';
import type { RunnerLink } from './runner-link.ts';

export interface SidecarContext {
  readonly runner: Runner;
  readonly link: RunnerLink;
  readonly tokenizer: Tokenizer;
  readonly modelId: string;
  /** Names that requests may use for the one model. */
  readonly modelNames: readonly string[];
  readonly keys: KeyRing;
  readonly finder: PlanFinder;
  readonly admission: Admission;
  readonly endings: Endings;
  readonly metrics: SidecarMetrics;
  readonly log: Log;
  readonly maxBodyBytes: number;
  readonly newId: () => string;
  readonly newSeed: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Counts a finished request. */
  readonly record: (kind: 'chat' | 'text', provenance: Provenance, ttftMs: number) => void;
}
