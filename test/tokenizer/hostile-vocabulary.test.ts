// Model files come from others: every broken vocabulary is one `model_invalid`, never a crash.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KvShareError } from '../../src/errors.ts';
import type { GgufValue } from '../../src/gguf/index.ts';
import { loadTokenizer } from '../../src/tokenizer/index.ts';
import { metadataOnly, tinyVocabulary } from '../support/tiny-vocabulary.ts';

const tokens = tinyVocabulary().get('tokenizer.ggml.tokens') as string[];
const types = tinyVocabulary().get('tokenizer.ggml.token_type') as number[];

function loadChanged(key: string, value: GgufValue | undefined) {
  const metadata = tinyVocabulary();
  if (value === undefined) metadata.delete(key);
  else metadata.set(key, value);
  return loadTokenizer(metadataOnly(metadata));
}

const invalid = expect.objectContaining({ code: 'model_invalid' }) as never;

describe('a hostile vocabulary', () => {
  const ggml = (key: string): string => `tokenizer.ggml.${key}`;
  const cases: [string, string, GgufValue | undefined][] = [
    ['no model', ggml('model'), undefined],
    ['another kind of model', ggml('model'), 'llama'],
    ['no tokens', ggml('tokens'), undefined],
    ['tokens that are text', ggml('tokens'), 'abc'],
    ['a token that is a number', ggml('tokens'), [...tokens.slice(1), 7]],
    ['an empty token', ggml('tokens'), [...tokens.slice(1), '']],
    ['a token twice', ggml('tokens'), [...tokens.slice(1), 'a']],
    ['fewer tokens than types', ggml('tokens'), tokens.slice(1)],
    ['no types', ggml('token_type'), undefined],
    ['a type out of range', ggml('token_type'), [...types.slice(1), 9]],
    ['a type that is text', ggml('token_type'), [...types.slice(1), 'x']],
    ['no merges', ggml('merges'), undefined],
    ['a merge of unknown tokens', ggml('merges'), ['zz yy']],
    ['a merge into an unknown token', ggml('merges'), ['z y']],
    ['a merge of three', ggml('merges'), ['h e r']],
    ['a merge of one', ggml('merges'), ['h']],
    ['no end', ggml('eos_token_id'), undefined],
    ['an end out of range', ggml('eos_token_id'), tokens.length],
    ['a negative end', ggml('eos_token_id'), -1],
    ['a fractional beginning', ggml('bos_token_id'), 0.5],
    ['an end of turn that is text', ggml('eot_token_id'), '2'],
    ['an unknown pre-tokenizer', ggml('pre'), 'made-up'],
    ['a pre-tokenizer that is a number', ggml('pre'), 3],
    ['a template that is a number', 'tokenizer.chat_template', 3],
    ['a template that does not parse', 'tokenizer.chat_template', '{% for %}'],
  ];

  it.each(cases)('%s', (_name, key, value) => {
    expect(() => loadChanged(key, value)).toThrow(invalid);
  });

  it('with a merge that would let text make a control token', () => {
    const changed = [...types];
    changed[tokens.indexOf('he')] = 3;
    expect(() => loadChanged(ggml('token_type'), changed)).toThrow(invalid);
  });

  it('of any shape either loads or is model_invalid', () => {
    const value = fc.oneof(
      fc.constant(undefined),
      fc.string(),
      fc.integer(),
      fc.double(),
      fc.bigInt(),
      fc.boolean(),
      fc.array(fc.oneof(fc.string(), fc.integer(), fc.constantFrom(...tokens))),
    );
    const key = fc.constantFrom(...tinyVocabulary().keys());
    fc.assert(
      fc.property(key, value, (name, changed) => {
        try {
          const loaded = loadChanged(name, changed);
          expect(loaded.vocabSize).toBeGreaterThan(0);
        } catch (error) {
          expect((error as KvShareError).code).toBe('model_invalid');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('may name a token after an object property', () => {
    const changed = tokens.map((token) => (token === '<repo_name>' ? '__proto__' : token));
    changed[tokens.indexOf('Ġand')] = 'constructor';
    const metadata = tinyVocabulary();
    metadata.set(ggml('tokens'), changed);
    metadata.set(ggml('merges'), ['h e']);
    const loaded = loadTokenizer(metadataOnly(metadata));
    expect([...loaded.encode('__proto__', { special: true })]).toEqual([3]);
    expect(loaded.decode(loaded.encode('__proto__', { special: false }))).toBe('__proto__');
  });
});
