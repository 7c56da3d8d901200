// An error becomes an answer: OpenAI's body and the status of its code. What nobody foresaw is a fault of ours, whose
// text may hold a prompt and stays here.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KvShareError, toErrorBody } from '../errors.ts';
import type { Log } from '../telemetry/index.ts';
import { sendJson } from './message.ts';
import { requestIdOf } from './request-id.ts';

export function logError(log: Log, error: unknown, response: ServerResponse): void {
  const requestId = requestIdOf(response);
  if (error instanceof KvShareError) log.info({ code: error.code, requestId }, 'request refused');
  else {
    const { name } = error as Error;
    log.error({ name, requestId }, 'request failed by a fault of this server');
  }
}

/** A body of this length may still come, and is dropped. */
const SHORT_BODY = 64 * 1024;

/** What is left of the body would be read for nothing, and nobody knows how much it is. */
const leavesBody = ({ complete, headers }: IncomingMessage): boolean =>
  !complete &&
  (headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > SHORT_BODY);

/** `isLast`: the server goes, and wants no other request on this connection. */
export function answerError(error: unknown, response: ServerResponse, isLast = false): void {
  if (response.headersSent) return void response.end();
  const status = error instanceof KvShareError ? error.status : 500;
  sendJson(response, status, toErrorBody(error), {
    ...((status === 429 || status === 503) && { 'retry-after': '1' }),
    // A body that was not read to its end must not be taken for the next request, nor go on for ever.
    ...((status === 408 || status === 413 || isLast || leavesBody(response.req)) && {
      connection: 'close',
    }),
  });
}
