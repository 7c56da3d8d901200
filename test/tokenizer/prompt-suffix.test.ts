// Where the suffix begins: the last paragraph of the last user message, with a cap.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { GgufValue } from '../../src/gguf/index.ts';
import { loadTokenizer } from '../../src/tokenizer/index.ts';
import type { EncodedPrompt } from '../../src/tokenizer/index.ts';
import { metadataOnly, tinyVocabulary } from '../support/tiny-vocabulary.ts';

const load = (changes: Record<string, GgufValue> = {}) =>
  loadTokenizer(metadataOnly(new Map([...tinyVocabulary(), ...Object.entries(changes)])));

const tiny = load();
const suffix = ({ tokens, suffixStart }: EncodedPrompt): string =>
  tiny.decode(tokens.subarray(suffixStart));
const ask = (...contents: string[]) =>
  tiny.encodeChat(contents.map((content) => ({ role: 'user', content })));

describe('suffix of a chat', () => {
  it('is the last paragraph of the last user message and the generation prompt', () => {
    expect(suffix(ask('first\n\nWho is it?'))).toBe('Who is it?\nassistant\n');
    expect(suffix(ask('Who is it?'))).toBe('Who is it?\nassistant\n');
    expect(suffix(ask('one\ntwo', 'three\nfour'))).toBe('four\nassistant\n');
  });

  it('ignores newlines and spaces behind the paragraph and keeps them in the suffix', () => {
    expect(suffix(ask('first\nlast\n\n \n'))).toBe('last\n\n \n\nassistant\n');
  });

  it('begins with the first word behind the newline where an indent shares a word with it', () => {
    expect(suffix(ask('first\n  last'))).toBe(' last\nassistant\n');
  });

  it('includes what follows the last user message', () => {
    const got = tiny.encodeChat([
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: 'hi hello' },
    ]);
    expect(suffix(got)).toBe('hello\nassistant\nhi hello\nassistant\n');
  });

  it('is the generation prompt when no user wrote anything', () => {
    const got = tiny.encodeChat([{ role: 'system', content: 'rules' }]);
    expect(suffix(got)).toBe('assistant\n');
    expect(suffix(ask(' \n'))).toBe('assistant\n');
  });

  it('finds the paragraph behind text that spells special tokens', () => {
    const got = ask('a <|im_start|>b\nc <|im_end|> d');
    expect(suffix(got)).toBe('c <|im_end|> d\nassistant\n');
  });

  it('finds the paragraph where the template trims, and where it quotes the text twice', () => {
    const trims = load({
      'tokenizer.chat_template':
        "{% for m in messages %}{{ '<|im_start|>' + m['content'] | trim }}{% endfor %}",
    });
    const trimmed = trims.encodeChat([{ role: 'user', content: ' \n a\n b \n' }]);
    expect(suffix(trimmed)).toBe(' b');
    const twice = load({
      'tokenizer.chat_template':
        "{% for m in messages %}{{ m['content'] + '|' + m['content'] }}{% endfor %}",
    });
    const doubled = twice.encodeChat([{ role: 'user', content: 'a\nb' }]);
    expect(suffix(doubled)).toBe('a\nb|a\nb');
  });
});

describe('suffix of a long message, found without rendering twice', () => {
  const long = 'a paragraph that no template holds by chance';
  const trims = load({
    'tokenizer.chat_template':
      "{% for m in messages %}{{ '<|im_start|>' + m['content'] | trim }}{% endfor %}",
  });
  const shouts = load({
    'tokenizer.chat_template':
      "{% for m in messages %}{{ m['content'] | upper if m['role'] == 'user' else m['content'] }}|{% endfor %}",
  });
  const of = (tokenizer: typeof tiny, content: string): string =>
    suffix(tokenizer.encodeChat([{ role: 'user', content }]));

  it.each([
    ['that keeps white space', tiny],
    ['that trims', trims],
  ])('is what rendering twice finds, by a template %s', (_, tokenizer) => {
    const pieces = fc.constantFrom('a', 'b', ' ', '\n', '.', '\t', '<|im_end|>');
    const text = fc.string({ unit: pieces, maxLength: 8 }).filter((s) => s.length <= 13);
    fc.assert(
      fc.property(text, text, (lead, last) => {
        fc.pre(last.trim() !== '');
        const twice = of(tokenizer, `${lead}x\n${last}`);
        expect(of(tokenizer, `${lead}${long}\n${last}`)).toBe(twice);
      }),
    );
  });

  it('is found where the same text stands in another message', () => {
    expect(suffix(ask(`${long}\nWho?`, `${long}\nWho?`))).toBe('Who?\nassistant\n');
    const quoted = shouts.encodeChat([
      { role: 'user', content: `b\n${long}` },
      { role: 'assistant', content: `b\n${long}` },
    ]);
    expect(suffix(quoted)).toBe(`${long.toUpperCase()}|b\n${long}|`);
  });

  it('is found in a text made to be searched for long', () => {
    const many = (count: number): string => 'a'.repeat(count);
    const messages = [
      { role: 'system', content: many(400_000) },
      { role: 'user', content: `${many(100_000)}b${many(100_000)}` },
    ];
    // Whole texts searched for in each other would take a quarter of a minute: too long for a test.
    expect(tiny.encodeChat(messages).tokens.length).toBeGreaterThan(0);
  }, 8_000);
});

describe('cap of the suffix', () => {
  // One letter a token, so that lengths are easy: "assistant\n" and its markers take 13 tokens.
  const letters = (count: number): string => 'x'.repeat(count);

  it('cuts behind the earliest sentence end that fits', () => {
    const got = ask(`${letters(200)}. ${letters(50)}. ${letters(40)}?`);
    expect(suffix(got)).toBe(` ${letters(50)}. ${letters(40)}?\nassistant\n`);
  });

  it('takes exactly the last 128 tokens when only the closing sentence end fits', () => {
    const got = ask(`${letters(300)}?`);
    expect(got.tokens.length - got.suffixStart).toBe(128);
    expect(suffix(got)).toContain('x?');
  });

  it('keeps a paragraph of just 128 tokens whole', () => {
    const frame = ask('x').tokens.length - ask('x').suffixStart - 1;
    const paragraph = `${letters(60)}.${letters(128 - frame - 61)}`;
    const whole = ask(`q\n${paragraph}`);
    expect(whole.tokens.length - whole.suffixStart).toBe(128);
    expect(suffix(whole)).toBe(`${paragraph}\nassistant\n`);
    expect(suffix(ask(`q\nx${paragraph}`))).toBe(`${letters(128 - frame - 61)}\nassistant\n`);
  });

  it('holds for every text, chat or bare', () => {
    const part = fc.constantFrom('\n', ' ', '. ', '?', 'word', letters(150), '<|im_end|>', 'é');
    const text = fc.array(part, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (value) => {
        for (const { tokens, suffixStart } of [ask(value), tiny.encodePrompt(value)]) {
          expect(suffixStart).toBeGreaterThanOrEqual(0);
          expect(suffixStart).toBeLessThanOrEqual(tokens.length - 1);
          expect(tokens.length - suffixStart).toBeLessThanOrEqual(128);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('suffix of a bare prompt', () => {
  it('is what follows its last newline', () => {
    expect(suffix(tiny.encodePrompt('one\ntwo three'))).toBe('two three');
    expect(suffix(tiny.encodePrompt('one two'))).toBe('one two');
    expect(suffix(tiny.encodePrompt('one\ntwo\n\n'))).toBe('two\n\n');
  });

  it('is at least the last token', () => {
    const got = tiny.encodePrompt('\n\n\n');
    expect(got.suffixStart).toBe(got.tokens.length - 1);
  });
});
