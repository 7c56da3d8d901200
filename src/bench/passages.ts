// An endless collection of passages for the prompts of the suites: the ward guidelines as they are, then woven ones.
import { doseGuideline, wardGuidelines } from '../samples/index.ts';

/** All but the one whose dose is edited. */
const plain = wardGuidelines.filter((_, i) => i !== doseGuideline.index);

/** So many are whole guidelines; the ones behind are woven from them. */
export const plainPassages = plain.length;

const sentencesOf = (passage: string): string[] => passage.split(/(?<=\.) /);

/** Sentences of two passages by turns: another text, with no equal run as long as a donor's must be. */
function woven(first: string, second: string): string {
  const others = sentencesOf(second);
  return sentencesOf(first)
    .map((sentence, i) => (i % 2 === 1 && others[i] ? others[i] : sentence))
    .join(' ');
}

export function passageAt(at: number): string {
  const round = Math.floor(at / plain.length);
  const passage = plain[at % plain.length]!;
  return round === 0 ? passage : woven(passage, plain[(at + 7 * round) % plain.length]!);
}

export const passagesFrom = (start: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => passageAt(start + i));
