// A body that a parser of the app has read already. It gets the limits that bytes get, whatever the parser allowed:
// size and nesting are counted without recursion, before anything else walks it.
import type { IncomingMessage } from 'node:http';
import { KvShareError } from '../errors.ts';

export interface BodyLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
}

/** At least what it took on the wire: texts and keys in UTF-8, one byte for everything else. */
export function isWithin(
  value: unknown,
  { maxBytes, maxDepth }: BodyLimits,
): 'yes' | 'large' | 'deep' {
  const waiting: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 1 }];
  let bytes = 0;
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { value: item, depth } = next;
    if (typeof item === 'string') bytes += Buffer.byteLength(item);
    else if (typeof item !== 'object' || item === null) bytes++;
    else {
      if (depth > maxDepth) return 'deep';
      for (const [key, child] of Object.entries(item)) {
        bytes += Array.isArray(item) ? 1 : Buffer.byteLength(key);
        if (bytes > maxBytes) return 'large';
        waiting.push({ value: child, depth: depth + 1 });
      }
    }
    if (bytes > maxBytes) return 'large';
  }
  return 'yes';
}

/**
 * What somebody before us made of the body; undefined while nobody has touched it. A parser that looked away
 * may have left an empty object, so it is the stream that tells.
 */
export function takenBody(request: IncomingMessage & { readonly body?: unknown }): unknown {
  if (!request.readableDidRead && !request.readableEnded) return undefined;
  if (request.body !== undefined) return request.body;
  throw new KvShareError(
    'invalid_request',
    'The body was read before KVShare could, and is not in request.body.',
  );
}
