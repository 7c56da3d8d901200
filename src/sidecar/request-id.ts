// The name of a request, in logs and answers: what a middleware before us chose, else the client, else we. It stands in
// the answer's head, where everybody finds it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { headerOf } from './message.ts';

const HEADER = 'x-request-id';
const REQUEST_ID = /^[\w.:-]{1,128}$/;

export function nameRequest(
  request: IncomingMessage,
  response: ServerResponse,
  newId: () => string,
): void {
  const given = [response.getHeader(HEADER), headerOf(request, HEADER)];
  const id = given.find((value) => typeof value === 'string' && REQUEST_ID.test(value));
  response.setHeader(HEADER, id ?? newId());
}

export const requestIdOf = (response: ServerResponse): string =>
  response.getHeader(HEADER) as string;
