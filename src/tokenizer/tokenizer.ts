// Text ⇄ token ids with the model file's own vocabulary and chat template: the room's parts put
// together. Loading checks the whole file; what is loaded never fails on a text.
import { createHash } from 'node:crypto';
import type { GgufFile } from '../gguf/index.ts';
import { chatTemplate } from './chat-template.ts';
import { preTokenizer } from './pre-tokenizers.ts';
import { encodeChat, encodePrompt, readTokens } from './prompt-encoder.ts';
import type { EncodedPrompt, PromptParts } from './prompt-encoder.ts';
import { specialTokens, stopTokens } from './special-tokens.ts';
import { decode, streamDecoder } from './stream-decoder.ts';
import type { StreamDecoder } from './stream-decoder.ts';
import { specialStrings } from './text-guard.ts';
import { tokenBytes, tokenClasses } from './token-classes.ts';
import { readVocabulary } from './vocabulary.ts';
import type { Vocabulary } from './vocabulary.ts';
import { wordEncoder } from './word-encoder.ts';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface Tokenizer {
  readonly vocabSize: number;
  /** Tokens that end a turn (stop generation). */
  readonly stopTokens: readonly number[];
  /** TokenClass flags, one byte a token id. */
  readonly tokenClasses: Uint8Array;
  /** sha256 over vocabulary, merges, pre-tokenizer and special tokens (fingerprint). */
  readonly sha256: string;
  readonly chatTemplateSha256: string;
  /** special: true recognises special tokens inside the text; false never does. No BOS/EOS added. */
  encode(text: string, options: { special: boolean }): Int32Array;
  /**
   * Chat template with generation prompt. Special tokens come from the template only, never from a
   * message. Throws KvShareError `invalid_request` when the template refuses the messages, and
   * `context_length_exceeded`, without encoding the rest, beyond `maxTokens`.
   */
  encodeChat(messages: readonly ChatMessage[], maxTokens?: number): EncodedPrompt;
  /** A bare prompt of /v1/completions: plain text, no special tokens. Throws when it is empty. */
  encodePrompt(text: string, maxTokens?: number): EncodedPrompt;
  /** A prompt that is token ids already, special ones too. Throws `invalid_request` for an id that is none. */
  readTokens(ids: readonly number[], maxTokens?: number): EncodedPrompt;
  /** Special tokens and unknown ids are no text. */
  decode(ids: Iterable<number>): string;
  streamDecoder(): StreamDecoder;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function vocabularySha256({ tokens, types, merges, pre, bosId, eosId }: Vocabulary): string {
  return sha256(JSON.stringify({ tokens, types, merges, pre, bosId, eosId }));
}

function encode(parts: PromptParts, text: string, special: boolean): Int32Array {
  const ids: number[] = [];
  const pieces = special ? parts.special.split(text) : [{ text, id: null }];
  for (const piece of pieces) {
    if (piece.id === null) parts.words.append(piece.text, ids);
    else ids.push(piece.id);
  }
  return Int32Array.from(ids);
}

/** Throws KvShareError `model_invalid` for a vocabulary that is not whole. */
export function loadTokenizer(file: GgufFile): Tokenizer {
  const vocabulary = readVocabulary(file);
  const bytes = tokenBytes(vocabulary);
  const special = specialTokens(vocabulary);
  const parts: PromptParts = {
    words: wordEncoder(vocabulary, preTokenizer(vocabulary.pre)),
    special,
    specialStrings: specialStrings(special.strings),
    classes: tokenClasses(vocabulary, bytes),
    render: chatTemplate(vocabulary),
  };
  return {
    vocabSize: vocabulary.tokens.length,
    stopTokens: stopTokens(vocabulary),
    tokenClasses: parts.classes,
    sha256: vocabularySha256(vocabulary),
    chatTemplateSha256: sha256(vocabulary.chatTemplate ?? ''),
    encode: (text, options) => encode(parts, text, options.special),
    encodeChat: (messages, maxTokens) => encodeChat(parts, messages, maxTokens),
    encodePrompt: (text, maxTokens) => encodePrompt(parts, text, maxTokens),
    readTokens: (ids, maxTokens) => readTokens(parts, ids, maxTokens),
    decode: (ids) => decode(bytes, ids),
    streamDecoder: () => streamDecoder(bytes),
  };
}
