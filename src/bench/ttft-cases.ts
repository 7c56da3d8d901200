// The prompts of `bench ttft`: a system line, passages of about 110 tokens (six at 800), a question last;
// per family the donors that were served before and the target that is measured.
import type { ChatTurn } from '../harness/index.ts';
import { doseGuideline, patientCards, questions, wardGuidelines } from '../samples/index.ts';

export const ttftFamilies = [
  'same-doc-new-question',
  'shifted-prefix',
  'passage-reorder',
  'multi-donor',
  'in-text-edit',
  'unrelated',
] as const;
export type TtftFamily = (typeof ttftFamilies)[number];

export interface TtftCase {
  readonly family: TtftFamily;
  /** Asked-for prompt length; the real one is reported. */
  readonly tokens: number;
  readonly donors: readonly (readonly ChatTurn[])[];
  readonly target: readonly ChatTurn[];
}

const SYSTEM = 'You are a ward assistant. Answer from the passages in one short sentence.';
const TOKENS_PER_PASSAGE = 125;

const prompt = (passages: readonly string[], question: string, card = ''): ChatTurn[] => [
  { role: 'system', content: SYSTEM },
  { role: 'user', content: [...(card ? [card] : []), ...passages, question].join('\n\n') },
];

const swapped = (passages: readonly string[]): string[] => {
  const reordered = [...passages];
  const [first, second] = [1, passages.length - 2];
  reordered[first] = passages[second]!;
  reordered[second] = passages[first]!;
  return reordered;
};

/** Passages of one document, the dose guideline in its middle. */
function documentOf(count: number, offset = 0): string[] {
  const others = wardGuidelines.filter((_, i) => i !== doseGuideline.index);
  const picked = Array.from({ length: count }, (_, i) => others[(offset + i) % others.length]!);
  picked[Math.floor(count / 2)] = offset === 0 ? doseGuideline.before : picked[0]!;
  return offset === 0 ? picked : Array.from(new Set(picked));
}

export function ttftCase(family: TtftFamily, tokens: number): TtftCase {
  const count = Math.max(4, Math.round((tokens - 60) / TOKENS_PER_PASSAGE));
  const document = documentOf(count);
  const [first, second] = [questions[0]!, questions[1]!];
  const [card, otherCard] = [patientCards[0]!, patientCards[1]!];
  const others = documentOf(count + 1, count).slice(0, count);
  const half = Math.floor(count / 2);
  const cases: Record<TtftFamily, Omit<TtftCase, 'family' | 'tokens'>> = {
    'same-doc-new-question': {
      donors: [prompt(document, first)],
      target: prompt(document, second),
    },
    'shifted-prefix': {
      donors: [prompt(document, first)],
      target: prompt(document, second, otherCard),
    },
    'passage-reorder': {
      donors: [prompt(document, first)],
      target: prompt(swapped(document), second),
    },
    'multi-donor': {
      donors: [prompt(document, first), prompt(others, first)],
      target: prompt([...document.slice(0, half), ...others.slice(half)], second),
    },
    'in-text-edit': {
      donors: [prompt(document, first, card)],
      target: prompt(
        document.map((passage) =>
          passage === doseGuideline.before ? doseGuideline.after : passage,
        ),
        first,
        card,
      ),
    },
    unrelated: {
      donors: [prompt(others, first)],
      target: prompt(document, second),
    },
  };
  return { family, tokens, ...cases[family] };
}
