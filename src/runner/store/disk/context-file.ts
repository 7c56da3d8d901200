// What a context on disk is made of: its token ids, whom it belongs to, which pages in which order. Written when all
// of its pages are there; a page that no whole context file names is nobody's and is swept away.
//
//   "KVSHCTX" 0 | SHA-256 of the rest | JSON
import { createHash } from 'node:crypto';
import type { StoredContext } from '../../../protocol/index.ts';
import { kvFormats, type KvFormat } from '../page-codec.ts';
import { isFileId, openOwn, readExactly } from './files.ts';

export interface PageRecord {
  readonly id: string;
  readonly digest: string;
  readonly format: KvFormat;
  readonly numTokens: number;
}

/** Tokens [start, end) of a page, as the next stretch of the context. */
export interface ViewRecord {
  readonly page: PageRecord;
  readonly start: number;
  readonly end: number;
}

export interface ContextRecord {
  readonly fingerprint: string;
  readonly context: Omit<StoredContext, 'segment'>;
  readonly views: readonly ViewRecord[];
}

const MAGIC = Buffer.from('KVSHCTX\0', 'latin1');
const HASH_BYTES = 32;
const MAX_BYTES = 16 * 2 ** 20;

export function encodeContext(record: ContextRecord): Buffer {
  const body = Buffer.from(JSON.stringify(record));
  const digest = createHash('sha256').update(body).digest();
  return Buffer.concat([MAGIC, digest, body]);
}

/** Throws whatever is wrong with the file. */
export async function readContextFile(
  path: string,
  fingerprint: string,
): Promise<{ record: ContextRecord; bytes: number }> {
  const { file, size } = await openOwn(path);
  try {
    if (size > MAX_BYTES) throw new Error('the file is too large');
    const bytes = Buffer.from(await readExactly(file, size));
    const bodyStart = MAGIC.length + HASH_BYTES;
    const body = bytes.subarray(bodyStart);
    const digest = createHash('sha256').update(body).digest();
    if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('it is no context');
    if (!bytes.subarray(MAGIC.length, bodyStart).equals(digest)) throw new Error('damaged');
    const record: unknown = JSON.parse(body.toString());
    if (!isContextRecord(record)) throw new Error('it does not describe a context');
    if (record.fingerprint !== fingerprint) throw new Error('it is of another model');
    return { record, bytes: size };
  } finally {
    await file.close();
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCount = (value: unknown, from: number, to: number): value is number =>
  Number.isInteger(value) && (value as number) >= from && (value as number) <= to;

function isPage(value: unknown): value is PageRecord {
  return (
    isObject(value) &&
    isFileId(value['id']) &&
    /^[0-9a-f]{64}$/.test(String(value['digest'])) &&
    kvFormats.some((format) => format === value['format']) &&
    isCount(value['numTokens'], 1, 2 ** 24)
  );
}

function isView(value: unknown): value is ViewRecord {
  if (!isObject(value) || !isPage(value['page'])) return false;
  const { page, start, end } = value;
  return isCount(end, 1, page.numTokens) && isCount(start, 0, end - 1);
}

function isContext(value: unknown): value is ContextRecord['context'] {
  if (!isObject(value) || !Array.isArray(value['tokens'])) return false;
  const { scope, owner, tokens, exactTokens, promptTokens } = value;
  return (
    typeof scope === 'string' &&
    (owner === null || typeof owner === 'string') &&
    tokens.length > 0 &&
    tokens.every((id) => isCount(id, 0, 2 ** 31 - 1)) &&
    isCount(exactTokens, 0, tokens.length) &&
    isCount(promptTokens, 0, tokens.length)
  );
}

/** The checksum says that the bytes are ours; this, that we had not lost our mind. */
function isContextRecord(value: unknown): value is ContextRecord {
  if (!isObject(value) || typeof value['fingerprint'] !== 'string') return false;
  const { context, views } = value;
  if (!isContext(context) || !Array.isArray(views) || !views.every(isView)) return false;
  const covered = views.reduce((sum, { start, end }) => sum + end - start, 0);
  return covered === context.tokens.length;
}
