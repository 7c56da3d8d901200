// What the built-in families build their prompts from: a system line, ward guidelines in some order, a question.
import { guidelineQuestions, wardGuidelines } from '../../../samples/index.ts';
import type { ChatMessage } from '../../../tokenizer/index.ts';
import { randomFrom } from '../../random.ts';
import type { Conversation, QualityCase } from '../quality-case.ts';

/** How many cases a family has. */
export const CASES = 24;

const SYSTEM = 'You are a ward assistant. Answer from the passages in one short sentence.';

export const paragraphs = (...parts: readonly string[]): string => parts.join('\n\n');

/** A system line and turns by user and assistant, the user's last. */
export const talkUnder = (system: string, ...turns: readonly string[]): Conversation => ({
  messages: [
    { role: 'system', content: system },
    ...turns.map((content, i): ChatMessage => ({
      role: i % 2 === 0 ? 'user' : 'assistant',
      content,
    })),
  ],
});

export const talk = (...turns: readonly string[]): Conversation => talkUnder(SYSTEM, ...turns);

/** Numbers of guidelines in an order that is the same in every run and another one for each seed. */
export function pickGuidelines(seed: number, count: number): number[] {
  const random = randomFrom(seed);
  const left = wardGuidelines.map((_, i) => i);
  return Array.from(
    { length: count },
    () => left.splice(Math.floor(random() * left.length), 1)[0]!,
  );
}

export const guidelines = (numbers: readonly number[]): string[] =>
  numbers.map((at) => wardGuidelines[at]!);

/** To the guideline with this number. */
export const question = (at: number): string => `Question: ${guidelineQuestions[at]!.question}`;

export const reference = (at: number): string => guidelineQuestions[at]!.answer;

export const cycled = <T>(list: readonly T[], at: number): T => list[at % list.length]!;

/** The cases of one family, numbered. */
export const family = (
  name: string,
  make: (at: number) => Omit<QualityCase, 'id' | 'family'>,
  count = CASES,
): QualityCase[] =>
  Array.from({ length: count }, (_, at) => ({ id: `${name}-${at}`, family: name, ...make(at) }));
