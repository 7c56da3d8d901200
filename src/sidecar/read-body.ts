// The request body, once, bounded, as JSON. Never express.json(): its errors carry the body, and the
// body is a prompt. Nesting is bounded before parsing, so that no later walk can overflow the stack.
import type { IncomingMessage } from 'node:http';
import { KvShareError } from '../errors.ts';

const MAX_DEPTH = 64;

function checkEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new KvShareError('invalid_request', 'Compressed request bodies are not accepted.');
  }
}

const tooLarge = (maxBytes: number): KvShareError =>
  new KvShareError('body_too_large', `The body is larger than ${maxBytes} bytes.`);

async function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof KvShareError) throw error;
    throw new KvShareError('request_cancelled', 'The client went away.');
  }
  return Buffer.concat(chunks);
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

/** Throws KvShareError `invalid_json`, `body_too_large`, `invalid_request`. */
export async function readJsonBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<Record<string, unknown>> {
  checkEncoding(request);
  const bytes = await readBytes(request, maxBytes);
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (depthOf(text) > MAX_DEPTH) throw new Error('too deep');
    value = JSON.parse(text);
  } catch {
    throw new KvShareError(
      'invalid_json',
      'The body is not valid JSON (UTF-8, nested at most 64).',
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KvShareError('invalid_request', 'The body must be a JSON object.');
  }
  return value as Record<string, unknown>;
}
