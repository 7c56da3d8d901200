// Files of one JSON object a line: traces and quality cases. What is wrong in one is said with its line.
import { readFile } from 'node:fs/promises';
import { KvShareError } from '../errors.ts';
import type { ChatMessage } from '../tokenizer/index.ts';

export function isMessage(value: unknown): value is ChatMessage {
  const message = value as Partial<ChatMessage> | null;
  return typeof message?.role === 'string' && typeof message.content === 'string';
}

export const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((text) => typeof text === 'string');

function parseJson<T>(line: string, where: string): Partial<T> {
  try {
    // What is no object has none of the fields.
    return (JSON.parse(line) ?? {}) as Partial<T>;
  } catch {
    throw new KvShareError('config_invalid', `${where} is not JSON.`);
  }
}

/** Throws KvShareError `config_invalid`; `what` is the file's kind, for the message. */
export async function readJsonLines<T>(
  path: string,
  what: string,
  parse: (value: Partial<T>, where: string) => T,
): Promise<T[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    throw new KvShareError('config_invalid', `The ${what} ${path} cannot be read.`);
  }
  const lines = text.split('\n').map((line, i) => [line.trim(), i + 1] as const);
  const values = lines
    .filter(([line]) => line !== '')
    .map(([line, number]) => {
      const where = `${path}:${number}`;
      return parse(parseJson<T>(line, where), where);
    });
  if (values.length === 0) {
    throw new KvShareError('config_invalid', `The ${what} ${path} is empty.`);
  }
  return values;
}
