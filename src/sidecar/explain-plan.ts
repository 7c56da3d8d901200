// Why was this reused, and why not more? The whole decision as data: every token's mark, every donor that was
// considered with the gate that it passed or failed, the edits and what they mean. Texts are the caller's own
// prompt; of a donor only its name and numbers are told.
import type { Candidates, Donor } from '../kv/index.ts';
import type { ReusePlan } from '../protocol/index.ts';
import { findEdits, type PlanInput } from '../reuse/index.ts';
import type { Planned } from './find-plan.ts';
import { marksOf, type Span } from './marks.ts';
import type { DonorReport } from './served-request.ts';

type ReadText = PlanInput['readText'];

export function spansOf(plan: ReusePlan | null, target: Int32Array, readText: ReadText): Span[] {
  return marksOf(plan, target.length).map((span) => ({
    ...span,
    text: readText(target, span.start, span.end),
  }));
}

const beginningsOf = ({ exactPrefix, continuation, approximatePrefix }: Candidates) => [
  exactPrefix,
  continuation,
  approximatePrefix,
];

/** Share of the target's tokens that stand in some run of the donor. */
function overlapOf(donor: Donor, { candidates, target }: PlanInput): number {
  const covered = new Uint8Array(target.length);
  for (const run of candidates.runs) {
    if (run.donor === donor) covered.fill(1, run.targetStart, run.targetStart + run.length);
  }
  for (const match of beginningsOf(candidates)) {
    if (match?.donor === donor) covered.fill(1, 0, match.length);
  }
  return covered.reduce((sum, one) => sum + one, 0) / target.length;
}

/** What became of a donor, in words from a closed list. */
function gateOf(donor: Donor, { decision, options }: Planned, { candidates }: PlanInput): string {
  const used = decision.plan?.imports.filter(({ segment }) => segment === donor.segment) ?? [];
  if (used.some(({ exact }) => !exact)) return 'imported';
  if (used.length > 0) return 'exact-prefix';
  const similarity = candidates.similarity.get(donor);
  if (options.minSimilarity > 0 && (similarity ?? 0) < options.minSimilarity) {
    return 'below-min-similarity';
  }
  if (!candidates.runs.some((run) => run.donor === donor)) return 'no-equal-run';
  const weighed = decision.considered.some((piece) => piece.donor === donor);
  return weighed ? `refused:${decision.reason}` : 'others-serve-better';
}

/** Used donors first, then by overlap. */
export function donorsOf(planned: Planned, limit: number): DonorReport[] {
  const { input } = planned;
  if (!input) return [];
  const { runs, similarity } = input.candidates;
  const donors = new Set([...runs.map(({ donor }) => donor), ...similarity.keys()]);
  for (const match of beginningsOf(input.candidates)) if (match) donors.add(match.donor);
  return [...donors]
    .map((donor) => ({
      segment: donor.segment,
      tokens: donor.tokens.length,
      exactTokens: donor.exactTokens,
      similarity: similarity.get(donor) ?? null,
      overlap: overlapOf(donor, input),
      gate: gateOf(donor, planned, input),
    }))
    .sort((a, b) => isUsed(b) - isUsed(a) || b.overlap - a.overlap)
    .slice(0, limit);
}

const isUsed = ({ gate }: DonorReport): number =>
  gate === 'imported' || gate === 'exact-prefix' ? 1 : 0;

export interface EditReport {
  readonly start: number;
  readonly end: number;
  readonly segment: string;
  /** Empty = wording only. */
  readonly kinds: readonly string[];
  readonly text: string;
}

export function editsOf({ decision, input }: Planned): EditReport[] {
  if (!input) return [];
  return findEdits(decision.considered, input).map((edit) => ({
    ...edit,
    text: input.readText(input.target, edit.start, edit.end),
  }));
}

/** The first token that no donor has at its place. */
export function divergenceOf({ input }: Planned): { at: number; text: string } | null {
  const at = input?.candidates.exactPrefix?.length ?? 0;
  if (!input || at >= input.target.length) return null;
  return { at, text: input.readText(input.target, at, at + 1) };
}
