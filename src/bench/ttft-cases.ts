// The prompts of `bench ttft`: a system line, passages of about 96 tokens (eight at 800), a question last;
// per family the donors that were served before and the target that is measured.
import type { ChatTurn } from '../harness/index.ts';
import { doseGuideline, patientCards, questions } from '../samples/index.ts';
import { passagesFrom, plainPassages } from './passages.ts';

export const ttftFamilies = [
  'same-doc-new-question',
  'shifted-prefix',
  'same-case-new-question',
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
/** Measured over the ward guidelines, with the blank line behind each. */
const TOKENS_PER_PASSAGE = 96;
/** Template, system line and question. */
const TOKENS_AROUND = 70;

const prompt = (passages: readonly string[], question: string, card = ''): ChatTurn[] => [
  { role: 'system', content: SYSTEM },
  { role: 'user', content: [...(card ? [card] : []), ...passages, question].join('\n\n') },
];

const swapped = (passages: readonly string[]): string[] => {
  const reordered = [...passages];
  // The second and the fifth.
  const [first, second] = [1, Math.min(4, passages.length - 1)];
  reordered[first] = passages[second]!;
  reordered[second] = passages[first]!;
  return reordered;
};

/** The dose guideline stands in the middle. */
function documentOf(count: number): string[] {
  const passages = passagesFrom(0, count);
  passages[Math.floor(count / 2)] = doseGuideline.before;
  return passages;
}

/** Far enough from the first document for every length. */
const OTHER_START = 10 * plainPassages;

export function ttftCase(family: TtftFamily, tokens: number): TtftCase {
  const count = Math.max(4, Math.round((tokens - TOKENS_AROUND) / TOKENS_PER_PASSAGE));
  const document = documentOf(count);
  const [first, second] = [questions[0]!, questions[1]!];
  const [card, otherCard] = [patientCards[0]!, patientCards[1]!];
  const others = passagesFrom(OTHER_START, count);
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
    // The second donor is put together from the first: approximate, and gone on from where it stands.
    'same-case-new-question': {
      donors: [prompt(document, first), prompt(document, first, otherCard)],
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
