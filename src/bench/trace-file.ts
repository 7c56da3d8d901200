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

function parseLine(line: string, where: string): TraceRequest {
  let value: Partial<TraceRequest> | null;
  try {
    value = JSON.parse(line) as Partial<TraceRequest> | null;
  } catch {
    throw new KvShareError('config_invalid', `${where} is not JSON.`);
  }
  const texts = [value?.id, value?.tenant, value?.user];
  const messages = value?.messages;
  if (!texts.every((text) => typeof text === 'string') || !Array.isArray(messages)) {
    throw new KvShareError('config_invalid', `${where} lacks id, tenant, user or messages.`);
  }
  if (messages.length === 0 || !messages.every(isMessage)) {
    throw new KvShareError(
      'config_invalid',
      `${where} has messages that are not role and content.`,
    );
  }
  return {
    id: value!.id!,
    t_ms: typeof value!.t_ms === 'number' ? value!.t_ms : 0,
    tenant: value!.tenant!,
    user: value!.user!,
    relation: value!.relation ?? 'unknown',
    donors: value!.donors ?? [],
    messages,
  };
}

export async function readTrace(path: string): Promise<TraceRequest[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    throw new KvShareError('config_invalid', `The trace ${path} cannot be read.`);
  }
  const lines = text.split('\n').map((line, i) => [line.trim(), i + 1] as const);
  return lines
    .filter(([line]) => line !== '')
    .map(([line, number]) => parseLine(line, `${path}:${number}`));
}
