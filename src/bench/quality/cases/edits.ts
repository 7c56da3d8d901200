// Families in which one value of the text is changed and the rest stays: next to what depends on it, or far from it.
import {
  entityNotices,
  negationNotices,
  numberNotices,
  type Notice,
} from '../../../samples/index.ts';
import type { Conversation, QualityCase } from '../quality-case.ts';
import { family, guidelines, paragraphs, pickGuidelines, talkUnder } from './prompts.ts';

/** A small model says more of a text when it is asked for one word of it. */
const ask = (...parts: readonly string[]): Conversation =>
  talkUnder('Answer the question with one word from the text.', paragraphs(...parts));

interface Edit {
  readonly notice: Notice;
  readonly before: string;
  readonly after: string;
}

const editsOf = (notices: readonly Notice[]): Edit[] =>
  notices.flatMap((notice) => notice.values.map(([before, after]) => ({ notice, before, after })));

function editFamily(
  name: string,
  notices: readonly Notice[],
  prompt: (at: number, notice: Notice, value: string) => Conversation,
): QualityCase[] {
  const edits = editsOf(notices);
  return family(
    name,
    (at) => {
      const { notice, before, after } = edits[at]!;
      const answer = notice.answer ?? ((value: string) => value);
      return {
        donors: [prompt(at, notice, before)],
        target: prompt(at, notice, after),
        answerNew: answer(after),
        answerOld: answer(before),
      };
    },
    edits.length,
  );
}

/** The consequence follows at once. */
const near =
  (seed: number) =>
  (at: number, notice: Notice, value: string): Conversation => {
    const [first, second, third] = guidelines(pickGuidelines(seed + at, 3));
    const edited = `Notice\n${notice.text(value)} ${notice.consequence}`;
    return ask(first!, edited, second!, third!, `Question: ${notice.question}`);
  };

/** More than 150 tokens lie between the value and the sentence about it. */
const far = (at: number, notice: Notice, value: string): Conversation => {
  const [first, second, third] = guidelines(pickGuidelines(800 + at, 3));
  const edited = `Notice\n${notice.text(value)}`;
  const rest = `Reminder\n${notice.consequence}`;
  return ask(edited, first!, second!, third!, rest, `Question: ${notice.question}`);
};

export const edits: readonly QualityCase[] = [
  ...editFamily('edit_near', entityNotices, near(700)),
  ...editFamily('edit_number', numberNotices, near(730)),
  ...editFamily('edit_negation', negationNotices, near(760)),
  ...editFamily('edit_far', [...entityNotices, ...numberNotices.slice(0, 2)], far),
];
