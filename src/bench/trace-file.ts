// A request trace, one JSON object a line.
import { KvShareError } from '../errors.ts';
import type { ChatMessage } from '../tokenizer/index.ts';
import { isMessage, isTexts, readJsonLines } from './json-lines.ts';

export interface TraceRequest {
  readonly id: string;
  readonly t_ms: number;
  readonly tenant: string;
  readonly user: string;
  readonly relation: string;
  readonly donors: readonly string[];
  readonly messages: readonly ChatMessage[];
}

function parseRequest(value: Partial<TraceRequest>, where: string): TraceRequest {
  const { id, tenant, user, messages, t_ms = 0, relation = 'unknown', donors = [] } = value;
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

export const readTrace = (path: string): Promise<TraceRequest[]> =>
  readJsonLines(path, 'trace', parseRequest);
