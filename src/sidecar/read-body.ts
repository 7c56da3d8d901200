// The request body, once, bounded, as JSON; where an app has parsed it already, what it parsed. Never express.json()
// of our own: its errors carry the body, and the body is a prompt. Nesting is bounded before parsing, so that no later
// walk can overflow the stack.
import type { IncomingMessage } from 'node:http';
import { KvShareError } from '../errors.ts';
import { tooLarge } from './body-read.ts';
import type { IncomingBodies } from './incoming-bodies.ts';
import { isWithin, takenBody } from './parsed-body.ts';

const MAX_DEPTH = 64;

function checkEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new KvShareError('invalid_request', 'Compressed request bodies are not accepted.');
  }
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x5b || c === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (c === 0x5d || c === 0x7d) depth--;
  }
  return deepest;
}

const invalidJson = (): KvShareError =>
  new KvShareError('invalid_json', 'The body is not valid JSON (UTF-8, nested at most 64).');

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parseJson(content: Uint8Array | string): unknown {
  try {
    const text = typeof content === 'string' ? content : utf8.decode(content);
    if (depthOf(text) > MAX_DEPTH) throw new Error('too deep');
    return JSON.parse(text);
  } catch {
    throw invalidJson();
  }
}

/** Raw and text parsers leave bytes and text, a JSON parser a value. */
function readTaken(body: unknown, maxBytes: number): unknown {
  const isContent = typeof body === 'string' || body instanceof Uint8Array;
  if (isContent) {
    if (Buffer.byteLength(body) > maxBytes) throw tooLarge(maxBytes);
    return parseJson(body);
  }
  const size = isWithin(body, { maxBytes, maxDepth: MAX_DEPTH });
  if (size === 'large') throw tooLarge(maxBytes);
  if (size === 'deep') throw invalidJson();
  return body;
}

const objectOf = (value: unknown): Record<string, unknown> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KvShareError('invalid_request', 'The body must be a JSON object.');
  }
  return value as Record<string, unknown>;
};

/**
 * What can be refused before it is known who asks: a length that is too large, and a body that an app has parsed
 * already, which is returned; undefined = it is still to be read.
 */
export function parsedBody(
  request: IncomingMessage,
  bodies: IncomingBodies,
): Record<string, unknown> | undefined {
  bodies.check(request);
  const taken = takenBody(request);
  return taken === undefined ? undefined : objectOf(readTaken(taken, bodies.maxBytes));
}

/** Of a body that nobody has touched. Throws KvShareError `invalid_json`, `body_too_large`, `body_timeout`, `request_cancelled`, `invalid_request`. */
export async function sentBody(
  request: IncomingMessage,
  bodies: IncomingBodies,
): Promise<Record<string, unknown>> {
  checkEncoding(request);
  return objectOf(parseJson(await bodies.read(request)));
}
