// The one-pass patterns against the definitions they fold together.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { preTokenizer } from '../../src/tokenizer/pre-tokenizers.ts';

const words = (name: string, text: string): string[] => text.match(preTokenizer(name).words) ?? [];

const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(' ', '  ', '\n', '\t', '\r\n', "'s", "'LL", '1', '½', '٣', 'a', '.', 'é'),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
    { maxLength: 20 },
  )
  .map((parts) => parts.join(''));

describe('pre-tokenizers', () => {
  it('smollm: digits first, then GPT-2 on what is between them', () => {
    fc.assert(
      fc.property(text, (value) => {
        const inTwoSteps = value
          .split(/(\p{N})/u)
          .flatMap((piece) => (/^\p{N}$/u.test(piece) ? [piece] : words('gpt-2', piece)));
        expect(words('smollm', value)).toEqual(inTwoSteps);
      }),
      { numRuns: 1000 },
    );
  });

  it.each(['default', 'gpt-2', 'smollm', 'llama-bpe', 'qwen2'])('%s loses no character', (name) => {
    fc.assert(
      fc.property(text, (value) => {
        expect(words(name, value).join('')).toBe(value);
      }),
    );
  });

  it('cuts as the models were trained', () => {
    const sample = "It's 2024.\n\n  I'LL go";
    expect(words('gpt-2', sample)).toEqual([
      ...['It', "'s", ' 2024', '.', '\n\n ', ' I', "'", 'LL', ' go'],
    ]);
    expect(words('smollm', sample)).toEqual([
      ...['It', "'s", ' ', '2', '0', '2', '4', '.', '\n\n ', ' I', "'", 'LL', ' go'],
    ]);
    expect(words('llama-bpe', sample)).toEqual([
      ...['It', "'s", ' ', '202', '4', '.\n\n', ' ', ' I', "'LL", ' go'],
    ]);
    expect(words('qwen2', sample)).toEqual([
      ...['It', "'s", ' ', '2', '0', '2', '4', '.\n\n', ' ', ' I', "'LL", ' go'],
    ]);
  });

  it('takes white space as Unicode does, not as JavaScript does', () => {
    expect(words('gpt-2', 'a\u0085b')).toEqual(['a', '\u0085', 'b']);
    expect(words('gpt-2', '.\uFEFF.')).toEqual(['.\uFEFF.']);
  });

  it('names an unknown one', () => {
    expect(() => preTokenizer('made-up')).toThrow(
      expect.objectContaining({
        code: 'model_invalid',
        message: expect.stringContaining('made-up'),
      }),
    );
  });
});
