// Protocol values ⇄ HTTP: paths, and events as one JSON object a line (NDJSON). A `beat` line keeps an
// idle stream provably alive; readers drop it.
import { KvShareError } from '../errors.ts';

export const paths = {
  info: '/v1/info',
  generate: '/v1/generate',
  compare: '/v1/compare',
  watch: '/v1/watch',
  store: '/v1/store',
  remove: '/v1/store/remove',
  pin: '/v1/store/pin',
  unpin: '/v1/store/unpin',
  livez: '/livez',
} as const;

/** Milliseconds between beats on a silent stream. */
export const BEAT_MS = 5_000;

const BEAT = '{"type":"beat"}\n';

export const encodeEvent = (event: object): string => `${JSON.stringify(event)}\n`;
export const encodeBeat = (): string => BEAT;

/** Splits a byte stream into events. Throws `runner_failed` on a line that is not JSON or too long. */
export async function* decodeEvents<T>(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes = 64 * 1024 * 1024,
): AsyncGenerator<T, void, undefined> {
  const decoder = new TextDecoder();
  let pending = '';
  for await (const chunk of chunks) {
    pending += decoder.decode(chunk, { stream: true });
    let newline: number;
    while ((newline = pending.indexOf('\n')) >= 0) {
      const line = pending.slice(0, newline + 1);
      pending = pending.slice(newline + 1);
      if (line !== BEAT) yield parse(line) as T;
    }
    if (pending.length > maxLineBytes) {
      throw new KvShareError('runner_failed', 'The runner sent a line without end.');
    }
  }
  if (pending.trim() !== '') {
    throw new KvShareError('runner_failed', 'The runner stopped in the middle of a line.');
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new KvShareError('runner_failed', 'The runner sent a line that is not JSON.');
  }
}
