// The whole tokenizer over the tiny vocabulary: encoding, classes, stops, hashes, bounds.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { GgufValue } from '../../src/gguf/index.ts';
import { TokenClass, loadTokenizer } from '../../src/tokenizer/index.ts';
import { metadataOnly, tinyVocabulary } from '../support/tiny-vocabulary.ts';

const load = (changes: Record<string, GgufValue> = {}) =>
  loadTokenizer(metadataOnly(new Map([...tinyVocabulary(), ...Object.entries(changes)])));

const tiny = load();
const tokens = tinyVocabulary().get('tokenizer.ggml.tokens') as string[];
const id = (token: string): number => tokens.indexOf(token);
const text = fc.string({ unit: 'binary', maxLength: 60 });

describe('encode', () => {
  it('merges by rank inside a word', () => {
    const ids = [...tiny.encode('the user and', { special: false })];
    expect(ids).toEqual(['t', 'he', 'Ġ', 'user', 'Ġand'].map(id));
  });

  it('takes digits one by one, with the space before them on its own', () => {
    const ids = [...tiny.encode('a 42', { special: false })];
    expect(ids).toEqual(['a', 'Ġ', '4', '2'].map(id));
  });

  it('recognises special tokens only when asked', () => {
    expect([...tiny.encode('a<|im_end|>', { special: true })]).toEqual([id('a'), 2]);
    const plain = [...tiny.encode('a<|im_end|>', { special: false })];
    expect(plain.every((token) => token > 16)).toBe(true);
    expect(tiny.decode(plain)).toBe('a<|im_end|>');
  });

  it('prefers the longest special token at a place', () => {
    const longer = load({
      'tokenizer.ggml.tokens': tokens.map((token) =>
        token === '<repo_name>' ? '<|im_end|>x' : token,
      ),
    });
    expect([...longer.encode('<|im_end|>x<|im_end|>', { special: true })]).toEqual([3, 2]);
  });

  it('gives back every text', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(tiny.decode(tiny.encode(value, { special: false }))).toBe(value);
      }),
    );
  });

  it('gives back a word far longer than any real one', () => {
    // The odd first character puts every cut at an even place inside a surrogate pair.
    const word = '!' + '\u{1F642}'.repeat(5000);
    expect(tiny.decode(tiny.encode(word, { special: false }))).toBe(word);
  });

  it('drops a byte that the vocabulary lacks and never makes a special token of it', () => {
    const lacking = load({
      'tokenizer.ggml.tokens': tokens.map((token) => (token === 'q' ? 'unused' : token)),
    });
    expect([...lacking.encode('aqa', { special: false })]).toEqual([id('a'), id('a')]);
  });

  it('encodes the same after its memory of words has overflowed', () => {
    const before = [...tiny.encode('the user and', { special: false })];
    for (let i = 0; i < 300; i++) {
      const letters = String.fromCharCode(97 + (i % 26), 97 + Math.floor(i / 26));
      tiny.encode(letters.repeat(2000), { special: false });
    }
    expect([...tiny.encode('the user and', { special: false })]).toEqual(before);
  });
});

describe('token classes and stops', () => {
  const classOf = (token: string): number => tiny.tokenClasses[id(token)]!;

  it('knows sentence ends, newlines and control tokens', () => {
    for (const token of ['.', '?', '!', ';', '..', '?!']) {
      expect(classOf(token)).toBe(TokenClass.sentenceEnd);
    }
    for (const token of ['Ċ', 'ĊĊ']) expect(classOf(token)).toBe(TokenClass.newline);
    for (const token of ['<|im_end|>', '<|im_start|>']) {
      expect(classOf(token)).toBe(TokenClass.special);
    }
    for (const token of [',', ':', 'a', 'Ġ', 'Ġthe', '<']) expect(classOf(token)).toBe(0);
    expect(tiny.tokenClasses).toHaveLength(tiny.vocabSize);
  });

  it('counts a token of letters and a full stop as no sentence end', () => {
    const changed = load({
      'tokenizer.ggml.tokens': tokens.map((token) => (token === 'Ġ' + 'and' ? 'e.g.' : token)),
      'tokenizer.ggml.merges': ['Ġ t', 'h e'],
    });
    expect(changed.tokenClasses[id('Ġand')]).toBe(0);
  });

  it('stops at the declared end, other declared ends and known names, each once', () => {
    expect(tiny.stopTokens).toEqual([2, 0]);
    expect(load({ 'tokenizer.ggml.eot_token_id': 5 }).stopTokens).toEqual([2, 5, 0]);
    expect(load({ 'tokenizer.ggml.eos_token_id': 0 }).stopTokens).toEqual([0, 2]);
  });
});

describe('hashes', () => {
  it('change with what they cover and with nothing else', () => {
    const again = load();
    expect(again.sha256).toBe(tiny.sha256);
    expect(again.chatTemplateSha256).toBe(tiny.chatTemplateSha256);
    expect(load({ 'tokenizer.ggml.pre': 'gpt-2' }).sha256).not.toBe(tiny.sha256);
    expect(load({ 'tokenizer.ggml.merges': ['h e'] }).sha256).not.toBe(tiny.sha256);
    const other = load({ 'tokenizer.chat_template': 'x' });
    expect(other.sha256).toBe(tiny.sha256);
    expect(other.chatTemplateSha256).not.toBe(tiny.chatTemplateSha256);
  });
});

describe('maxTokens', () => {
  it('refuses a longer prompt, not one of just that length', () => {
    const { length } = tiny.encodePrompt('one two').tokens;
    expect(tiny.encodePrompt('one two', length).tokens).toHaveLength(length);
    const tooLong = expect.objectContaining({ code: 'context_length_exceeded' });
    expect(() => tiny.encodePrompt('one two', length - 1)).toThrow(tooLong);
    const chat = [{ role: 'user', content: 'one two' }];
    const whole = tiny.encodeChat(chat).tokens.length;
    expect(tiny.encodeChat(chat, whole).tokens).toHaveLength(whole);
    expect(() => tiny.encodeChat(chat, whole - 1)).toThrow(tooLong);
  });

  it('refuses what cannot fit before it costs anything: others wait for this thread', () => {
    const user = (content: string) => ({ role: 'user', content });
    const hostile = [
      Array.from({ length: 140_000 }, () => user('')),
      [user('e\u0301'.repeat(2 ** 21))],
      [user('<|im_end|>'.repeat(400_000))],
    ];
    for (const messages of hostile) {
      const start = performance.now();
      expect(() => tiny.encodeChat(messages, 8_000)).toThrow(/more than 8000 tokens/);
      expect(performance.now() - start).toBeLessThan(200);
    }
    // The longest text that can fit, if every token of it is the longest one.
    const fitting = 'wash '.repeat(100);
    expect(tiny.encodePrompt(fitting, 1_000).tokens.length).toBeLessThanOrEqual(1_000);
  });
});
