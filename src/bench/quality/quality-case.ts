// A case of `bench quality`: donors that were served before, the target that is measured, and what else is known
// about its answer. One JSON object a line.
import { isMessage, readJsonLines } from '../json-lines.ts';
import { KvShareError } from '../../errors.ts';
import type { ChatMessage } from '../../tokenizer/index.ts';

export interface Conversation {
  readonly messages: readonly ChatMessage[];
}

export interface QualityCase {
  readonly id: string;
  readonly family: string;
  /** Prefilled exactly, in order, before the target. */
  readonly donors: readonly Conversation[];
  readonly target: Conversation;
  /** Edit cases: the right answer, and the one that a stale donor would give. */
  readonly answerNew?: string;
  readonly answerOld?: string;
  /** A good answer. */
  readonly reference?: string;
}

const isConversation = (value: unknown): value is Conversation => {
  const messages = (value as Partial<Conversation> | null)?.messages;
  return Array.isArray(messages) && messages.length > 0 && messages.every(isMessage);
};

const isOptionalText = (value: unknown): boolean => value === undefined || isText(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function parseCase(value: Partial<QualityCase>, where: string): QualityCase {
  const bad = (message: string): KvShareError =>
    new KvShareError('config_invalid', `${where} ${message}`);
  const { id, family, donors, target, answerNew, answerOld, reference } = value;
  if (!isText(id) || !isText(family)) throw bad('lacks id or family.');
  if (!Array.isArray(donors) || !donors.every(isConversation) || !isConversation(target)) {
    throw bad('has donors or a target without messages of role and content.');
  }
  if (![answerNew, answerOld, reference].every(isOptionalText)) {
    throw bad('has an answer or a reference that is not a text.');
  }
  if ((answerNew === undefined) !== (answerOld === undefined)) {
    throw bad('has only one of answerNew and answerOld.');
  }
  return {
    ...{ id, family, donors, target },
    ...(answerNew !== undefined && answerOld !== undefined && { answerNew, answerOld }),
    ...(reference !== undefined && { reference }),
  };
}

/** Throws KvShareError `config_invalid` for a file that cannot be used. */
export async function readCases(path: string): Promise<QualityCase[]> {
  const cases = await readJsonLines(path, 'case file', parseCase);
  const ids = new Set(cases.map(({ id }) => id));
  if (ids.size < cases.length) {
    throw new KvShareError('config_invalid', `The case file ${path} has an id twice.`);
  }
  return cases;
}

/** The first so many cases of each family, in their order. */
export function limitByFamily(cases: readonly QualityCase[], limit: number): QualityCase[] {
  const taken = new Map<string, number>();
  return cases.filter(({ family }) => {
    const count = (taken.get(family) ?? 0) + 1;
    taken.set(family, count);
    return count <= limit;
  });
}
