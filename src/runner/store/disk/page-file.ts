// A page in a file. Nothing in it is believed: the reader knows from the context that names the page what its header
// must be, byte for byte, and what digest header and digests must have; the digests then vouch for the parts. So a
// file that is cut, changed, swapped with another or from another model or scope is found out before a tensor is built.
//
//   header: "KVSHPAGE" | version | format | layers | heads | tokens | headDim | id | fingerprint | scope (both hashed)
//   SHA-256 of each part | parts
//
// SHA-256 and no CRC beside it: it finds bit flips as surely, and it is computed on the thread pool (crypto.subtle),
// where its 0.7 ms a MiB hold nobody. Numbers have this machine's byte order; on another one the version is unknown.
import { createHash, webcrypto } from 'node:crypto';
import { kvFormats, type KvFormat } from '../page-codec.ts';
import {
  packedPageBytes,
  partBytes,
  partsOf,
  type PackedPage,
  type PageShape,
} from '../packed-page.ts';
import { openOwn, publish, readExactly } from './files.ts';

/** Everything that a page file must have been written for. */
export interface PageKey {
  readonly id: string;
  readonly fingerprint: string;
  readonly scope: string;
  readonly shape: PageShape;
  readonly format: KvFormat;
}

const MAGIC = Buffer.from('KVSHPAGE', 'latin1');
const VERSION = 1;
const HASH_BYTES = 32;

const sha256 = (data: string | Uint8Array): Buffer => createHash('sha256').update(data).digest();

const sha256Aside = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await webcrypto.subtle.digest('SHA-256', bytes));

function headerOf({ id, fingerprint, scope, shape, format }: PageKey): Buffer {
  const { numLayers, numKvHeads, numTokens, headDim } = shape;
  const place = kvFormats.indexOf(format);
  const numbers = Uint32Array.of(VERSION, place, numLayers, numKvHeads, numTokens, headDim);
  return Buffer.concat([
    MAGIC,
    Buffer.from(numbers.buffer),
    Buffer.from(id, 'hex'),
    sha256(fingerprint),
    sha256(scope),
  ]);
}

const headBytes = (key: PageKey): number =>
  headerOf(key).length + partsOf(key.shape).length * HASH_BYTES;

/** Known before anything is read or written. */
export const pageFileBytes = (key: PageKey): number =>
  headBytes(key) + packedPageBytes(key.format, key.shape);

/** The digest that a reader needs. */
export async function writePageFile(path: string, key: PageKey, page: PackedPage): Promise<string> {
  const digests: Uint8Array[] = [];
  for (const part of page.parts) digests.push(await sha256Aside(part));
  const head = Buffer.concat([headerOf(key), ...digests]);
  await publish(path, [head, ...page.parts]);
  return sha256(head).toString('hex');
}

/** Throws whatever is wrong with the file. */
export async function readPageFile(
  path: string,
  key: PageKey,
  digest: string,
): Promise<PackedPage> {
  const { file, size } = await openOwn(path);
  try {
    if (size !== pageFileBytes(key)) throw new Error('the file has another size');
    const head = await readExactly(file, headBytes(key));
    if (sha256(head).toString('hex') !== digest) throw new Error('the digests are wrong');
    const header = headerOf(key);
    if (!header.equals(head.subarray(0, header.length))) throw new Error('it is another page');
    const parts: Uint8Array[] = [];
    for (const [at, part] of partsOf(key.shape).entries()) {
      const bytes = await readExactly(file, partBytes(key.format, key.shape, part));
      const start = header.length + at * HASH_BYTES;
      const wanted = head.subarray(start, start + HASH_BYTES);
      if (Buffer.compare(await sha256Aside(bytes), wanted) !== 0) throw new Error('damaged');
      parts.push(bytes);
    }
    return { format: key.format, parts };
  } finally {
    await file.close();
  }
}
