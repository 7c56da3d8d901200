// Streaming gives whole characters only, and in the end the same text as decoding at once.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { loadTokenizer } from '../../src/tokenizer/index.ts';
import { metadataOnly, tinyVocabulary } from '../support/tiny-vocabulary.ts';

const tiny = loadTokenizer(metadataOnly(tinyVocabulary()));

function stream(ids: Iterable<number>): string[] {
  const decoder = tiny.streamDecoder();
  const parts = [...ids].map((id) => decoder.push(id));
  return [...parts, decoder.flush()];
}

describe('stream decoder', () => {
  it('equals decode for any ids, unknown ones included', () => {
    const id = fc.integer({ min: 0, max: tiny.vocabSize + 3 });
    fc.assert(
      fc.property(fc.array(id, { maxLength: 80 }), (ids) => {
        expect(stream(ids).join('')).toBe(tiny.decode(ids));
      }),
      { numRuns: 500 },
    );
  });

  it('never gives half a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        const parts = stream(tiny.encode(text, { special: false }));
        expect(parts.join('')).toBe(text);
        for (const part of parts) expect(part).not.toMatch(/\p{Surrogate}/u);
      }),
    );
  });

  it('holds a character back until it is whole, and a broken one until the end', () => {
    const ids = [...tiny.encode('é', { special: false })];
    expect(ids).toHaveLength(2);
    expect(stream(ids)).toEqual(['', 'é', '']);
    expect(stream(ids.slice(0, 1))).toEqual(['', '\uFFFD']);
  });

  it('gives no text for special tokens and keeps a byte order mark', () => {
    expect(tiny.decode([1, 2, 0])).toBe('');
    expect(stream([1, 2])).toEqual(['', '', '']);
    expect(tiny.decode(tiny.encode('\uFEFFa', { special: false }))).toBe('\uFEFFa');
  });
});
