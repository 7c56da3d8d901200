// Two users with the same passages and cards of their own: what the one is told must be about the own card.
import { patientCards } from '../../samples/index.ts';
import { cycled, guidelines, paragraphs, pickGuidelines, talk } from '../quality/cases/prompts.ts';
import type { Conversation } from '../quality/quality-case.ts';

export interface DiversityCase {
  readonly id: string;
  readonly donor: Conversation;
  readonly target: Conversation;
  /** What stands on the receiver's card, and on the donor's: names and years of birth. */
  readonly own: readonly string[];
  readonly others: readonly string[];
}

const questions: readonly string[] = [
  'Who is the patient on the card, and in which year was the patient born?',
  'What is the name of the patient, and what does the card say?',
  'For whom is this card written, and what has to be known about this patient?',
  'Write one line about the patient: name, year of birth, weight.',
];

const factsOf = (card: string): string[] =>
  /card: (?:Ms|Mr) (\w+), born (\d{4})/.exec(card)!.slice(1);

export function diversityCase(seed: number, at: number): DiversityCase {
  const rest = guidelines(pickGuidelines(seed * 1000 + 300 + at, 3));
  const [card, other] = [cycled(patientCards, at), cycled(patientCards, at + 1 + (at % 6))];
  const talkOn = (first: string): Conversation =>
    talk(paragraphs(first, ...rest, `Question: ${cycled(questions, at)}`));
  return {
    id: `diversity-${at}`,
    ...{ donor: talkOn(other), target: talkOn(card) },
    ...{ own: factsOf(card), others: factsOf(other) },
  };
}
