// What is needed of an HTTP message beyond node:http. Handlers see plain requests and responses, so that the same
// ones serve behind our own server and inside Express 4 and 5, Fastify or node:http.
import type { IncomingMessage, ServerResponse } from 'node:http';

/** The header's value; several of one name are joined as HTTP says. */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name.toLowerCase()];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Characters that mean the same written as they are or as %xx (RFC 3986, 2.3). */
const plainly = (path: string): string =>
  path.replace(/%[\da-f]{2}/gi, (code) => {
    const character = String.fromCharCode(parseInt(code.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : code;
  });

/** The path as the client sent it, whatever frameworks have cut off on the way here. */
export function sentPathOf(request: IncomingMessage & { readonly originalUrl?: string }): string {
  const path = pathIn(request.originalUrl ?? request.url ?? '/');
  // As endpoints are found, by us and by frameworks: a route must not be dodged by how its path is written.
  const plain = plainly(path.replace(/^https?:\/\/[^/]*/i, '')).replace(/\/\/+/g, '/');
  return plain.length > 1 && plain.endsWith('/') ? plain.slice(0, -1) : plain;
}

/** Of a request target, without the query. */
export const pathIn = (url: string): string => url.split('?', 1)[0]!;

export function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
  });
  response.end(bytes);
}
