// One line of a recording: enough to plan the request again under another policy, no text. Token ids are hashed with
// a key that is thrown away when the recorder closes, unless the operator asked for plain ids. Equal tokens
// stay equal, so a recording still tells how often a token occurs: treat it as confidential.
import { KvShareError } from '../errors.ts';

export interface RecordedRequest {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly t_ms: number;
  readonly tenant: string;
  readonly user: string;
  readonly route: string;
  readonly suffixStart: number;
  /** Whether token ids are those of the tokenizer, or hashed. */
  readonly plain: boolean;
  readonly tokens: Int32Array;
  /** Flags by token: 1 sentence end, 2 newline, 4 special. */
  readonly classes: Uint8Array;
}

export const RECORDING_VERSION = 1;

const toBase64 = (array: Int32Array | Uint8Array): string =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');

export function formatLine({ tokens, classes, plain, ...rest }: RecordedRequest): string {
  const fields = { version: RECORDING_VERSION, ...(plain && { plain }), ...rest };
  return `${JSON.stringify({ ...fields, tokens: toBase64(tokens), classes: toBase64(classes) })}\n`;
}

function bytesOf(value: unknown): Buffer | null {
  return typeof value === 'string' ? Buffer.from(value, 'base64') : null;
}

const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string';

/** Throws KvShareError `config_invalid`, with the place, for a line that no recorder wrote. */
export function parseLine(line: string, where: string): RecordedRequest {
  const refuse = (why: string): never => {
    throw new KvShareError('config_invalid', `${where} ${why}`);
  };
  let value: Record<string, unknown>;
  try {
    value = (JSON.parse(line) ?? {}) as Record<string, unknown>;
  } catch {
    return refuse('is not JSON.');
  }
  if (value['version'] !== RECORDING_VERSION) refuse('is of no known version.');
  const { id, t_ms, tenant, user, route, suffixStart } = value;
  const [ids, flags] = [bytesOf(value['tokens']), bytesOf(value['classes'])];
  if (!isText(id) || !isText(tenant) || !isText(user) || !isText(route)) {
    return refuse('lacks id, tenant, user or route.');
  }
  if (typeof t_ms !== 'number' || !isCount(suffixStart)) return refuse('has a wrong number.');
  if (!ids || !flags || ids.length !== 4 * flags.length || flags.length === 0) {
    return refuse('has broken tokens.');
  }
  const tokens = new Int32Array(flags.length);
  tokens.forEach((_, i) => (tokens[i] = ids.readInt32LE(4 * i)));
  const classes = Uint8Array.from(flags);
  const plain = value['plain'] === true;
  return { id, t_ms, tenant, user, route, suffixStart, plain, tokens, classes };
}
