// Reads the tokenizer part of a model file's metadata and checks all of it: a model file comes from
// others, and every later step indexes by these numbers. Anything odd is one `model_invalid`.
import { KvShareError } from '../errors.ts';
import type { GgufFile, GgufValue } from '../gguf/index.ts';

/** Token types of GGUF that matter here. */
export const TokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4 } as const;

export interface Vocabulary {
  readonly tokens: readonly string[];
  readonly types: readonly number[];
  /** In order of rank. */
  readonly merges: readonly (readonly [left: string, right: string])[];
  readonly pre: string;
  readonly eosId: number;
  readonly bosId: number | null;
  /** Other ids that the file names as ends of a turn or message. */
  readonly endIds: readonly number[];
  /** Null when the model has none (a base model). */
  readonly chatTemplate: string | null;
}

type Metadata = ReadonlyMap<string, GgufValue>;

const invalid = (what: string): KvShareError =>
  new KvShareError('model_invalid', `The model file's tokenizer is not usable: ${what}.`);

function readString(metadata: Metadata, key: string): string | null {
  const value = metadata.get(key) ?? null;
  if (value !== null && typeof value !== 'string') throw invalid(`${key} is not a string`);
  return value;
}

function readStrings(metadata: Metadata, key: string): string[] {
  const value = metadata.get(key);
  if (!Array.isArray(value)) throw invalid(`${key} is missing or not a list`);
  return value.map((item) => {
    if (typeof item !== 'string') throw invalid(`${key} has an entry that is not a string`);
    return item;
  });
}

function readTypes(metadata: Metadata, count: number): number[] {
  const key = 'tokenizer.ggml.token_type';
  const value = metadata.get(key);
  if (!Array.isArray(value)) throw invalid(`${key} is missing or not a list`);
  if (value.length !== count) throw invalid(`${key} has not one entry a token`);
  return value.map((item) => {
    const type = Number(item);
    if (!Number.isInteger(type) || type < 0 || type > 6) throw invalid(`${key} has a wrong entry`);
    return type;
  });
}

function readId(metadata: Metadata, name: string, count: number): number | null {
  const key = `tokenizer.ggml.${name}_token_id`;
  const value = metadata.get(key);
  if (value === undefined) return null;
  const id = typeof value === 'number' || typeof value === 'bigint' ? Number(value) : NaN;
  if (!Number.isInteger(id) || id < 0 || id >= count) throw invalid(`${key} is not a token id`);
  return id;
}

/** Merges make text; one that makes or uses a control token would let text spell control tokens. */
function checkMerges(
  merges: readonly string[],
  mergeable: ReadonlySet<string>,
): (readonly [string, string])[] {
  return merges.map((merge) => {
    const [left = '', right = '', ...more] = merge.split(' ');
    const known = mergeable.has(left) && mergeable.has(right) && mergeable.has(left + right);
    if (!known || more.length > 0) throw invalid('a merge names an unknown token');
    return [left, right] as const;
  });
}

/** Tokens that plain text can be made of. */
export const isText = (type: number | undefined): boolean =>
  type !== TokenType.control && type !== TokenType.unknown && type !== TokenType.userDefined;

export function readVocabulary(file: GgufFile): Vocabulary {
  const { metadata } = file;
  const model = readString(metadata, 'tokenizer.ggml.model');
  if (model !== 'gpt2') throw invalid('only byte-level BPE ("gpt2") is supported');
  const tokens = readStrings(metadata, 'tokenizer.ggml.tokens');
  const types = readTypes(metadata, tokens.length);
  if (new Set(tokens).size !== tokens.length) throw invalid('a token stands in it twice');
  if (tokens.includes('')) throw invalid('a token is empty');
  const mergeable = new Set(tokens.filter((_, id) => isText(types[id])));
  const eosId = readId(metadata, 'eos', tokens.length);
  if (eosId === null) throw invalid('tokenizer.ggml.eos_token_id is missing');
  const ends = ['eot', 'eom'].map((name) => readId(metadata, name, tokens.length));
  return {
    tokens,
    types,
    merges: checkMerges(readStrings(metadata, 'tokenizer.ggml.merges'), mergeable),
    pre: readString(metadata, 'tokenizer.ggml.pre') ?? 'default',
    eosId,
    bosId: readId(metadata, 'bos', tokens.length),
    endIds: ends.filter((id) => id !== null),
    chatTemplate: readString(metadata, 'tokenizer.chat_template'),
  };
}
