// What there is to tell of a request that was answered, or whose answer was begun: for whoever watches. Of the prompt
// itself only where the operator allows that for the route.
import type { ReusePlan } from '../protocol/index.ts';
import type { Span } from './marks.ts';
import type { Provenance } from './openai-response.ts';

export interface DonorReport {
  readonly segment: string;
  readonly tokens: number;
  readonly exactTokens: number;
  readonly similarity: number | null;
  readonly overlap: number;
  readonly gate: string;
}

export interface ServedRequest {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly route: string;
  readonly tenant: string | null;
  readonly scope: string;
  readonly provenance: Provenance;
  readonly promptTokens: number;
  /** Until the first text; null when none came. */
  readonly ttftMs: number | null;
  /** Whether the answer came to its end. */
  readonly isWhole: boolean;
  /** What was imported, by the runner's word; null = nothing was. */
  readonly plan: ReusePlan | null;
  /** The name of what was kept of it. */
  readonly stored: string | null;
  /** Its token ids, where its route shows texts. */
  readonly tokens: Int32Array | null;
  readonly spans: () => Omit<Span, 'text'>[];
  readonly donors: () => DonorReport[];
}

export type ServedObserver = (request: ServedRequest) => void;
