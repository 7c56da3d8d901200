// A request trace, one JSON object a line.
import { readFile } from 'node:fs/promises';
import { KvShareError } from '../errors.ts';
import type { ChatMessage } from '../tokenizer/index.ts';

export interface TraceRequest {
  readonly id: string;
  readonly t_ms: number;
  readonly tenant: string;
  readonly user: string;
  readonly relation: string;
  readonly donors: readonly string[];
  readonly messages: readonly ChatMessage[];
}

function isMessage(value: unknown): value is ChatMessage {
  const message = value as Partial<ChatMessage> | null;
  return typeof message?.role === 'string' && typeof message.content === 'string';
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((text) => typeof text === 'string');

function parseJson(line: string, where: string): Partial<TraceRequest> {
  try {
    // What is no object has none of the fields.
    return (JSON.parse(line) ?? {}) as Partial<TraceRequest>;
  } catch {
    throw new KvShareError('config_invalid', `${where} is not JSON.`);
  }
}

function parseLine(line: string, where: string): TraceRequest {
  const { id, tenant, user, messages, ...rest } = parseJson(line, where);
  const { t_ms = 0, relation = 'unknown', donors = [] } = rest;
  if (!isTexts([id, tenant, user]) || !Array.isArray(messages)) {
    throw new KvShareError('config_invalid', `${where} lacks id, tenant, user or messages.`);
  }
  if (messages.length === 0 || !messages.every(isMessage)) {
    throw new KvShareError(
      'config_invalid',
      `${where} has messages that are not role and content.`,
    );
  }
  if (typeof t_ms !== 'number' || !isTexts([relation]) || !isTexts(donors)) {
    throw new KvShareError('config_invalid', `${where} has a wrong t_ms, relation or donors.`);
  }
  return { id: id!, t_ms, tenant: tenant!, user: user!, relation, donors, messages };
}

export async function readTrace(path: string): Promise<TraceRequest[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    throw new KvShareError('config_invalid', `The trace ${path} cannot be read.`);
  }
  const lines = text.split('\n').map((line, i) => [line.trim(), i + 1] as const);
  const requests = lines
    .filter(([line]) => line !== '')
    .map(([line, number]) => parseLine(line, `${path}:${number}`));
  if (requests.length === 0) {
    throw new KvShareError('config_invalid', `The trace ${path} has no requests.`);
  }
  return requests;
}
