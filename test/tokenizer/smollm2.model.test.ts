// The real vocabulary: golden ids, the default system message, the planning budget.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { openGguf } from '../../src/gguf/index.ts';
import { TokenClass, loadTokenizer } from '../../src/tokenizer/index.ts';
import type { Tokenizer } from '../../src/tokenizer/index.ts';

const cache = process.env['KVSHARE_CACHE_DIR'] ?? `${homedir()}/.cache/kvshare`;
const golden = (name: string): unknown =>
  JSON.parse(
    readFileSync(new URL(`../fixtures/golden/smollm2/${name}.json`, import.meta.url), 'utf8'),
  );

interface Case {
  text: string;
  ids: number[];
}
const { cases } = golden('tokenizer') as { cases: Case[] };
const { prompts } = golden('prompts') as { prompts: Case[] };

let smollm: Tokenizer;
beforeAll(async () => {
  const file = await openGguf(`${cache}/models/SmolLM2-135M-Instruct.Q4_1.gguf`);
  smollm = loadTokenizer(file);
  await file.close();
});

describe('SmolLM2', () => {
  it.each([...cases, ...prompts])('encodes $text', ({ text, ids }) => {
    expect([...smollm.encode(text, { special: true })]).toEqual(ids);
  });

  it('builds the golden prompt from a message', () => {
    const { tokens, suffixStart } = smollm.encodeChat([
      { role: 'user', content: 'What is the capital of France?' },
    ]);
    expect([...tokens]).toEqual(prompts[0]!.ids);
    expect(smollm.decode(tokens.subarray(suffixStart))).toBe(
      'What is the capital of France?\nassistant\n',
    );
  });

  it('has the classes and stops that the planner counts on', () => {
    const classOf = (text: string): number =>
      smollm.tokenClasses[smollm.encode(text, { special: true })[0]!]!;
    expect(classOf('.')).toBe(TokenClass.sentenceEnd);
    expect(classOf('\n')).toBe(TokenClass.newline);
    expect(classOf('<|im_end|>')).toBe(TokenClass.special);
    expect(classOf('word')).toBe(0);
    expect(smollm.stopTokens).toEqual([2, 0]);
    expect(smollm.vocabSize).toBe(49152);
  });

  it('streams any ids as it decodes them', () => {
    const ids = fc.array(fc.integer({ min: 0, max: 49151 }), { maxLength: 60 });
    fc.assert(
      fc.property(ids, (values) => {
        const decoder = smollm.streamDecoder();
        const streamed = values.map((id) => decoder.push(id)).join('') + decoder.flush();
        expect(streamed).toBe(smollm.decode(values));
      }),
    );
  });

  it('encodes a 2,000-token chat well inside the planning budget', () => {
    const text = prompts.map((prompt) => prompt.text.replace(/<[^>]*>/g, '')).join('\n');
    const words = text.split(/(?<=\s)/);
    const times = Array.from({ length: 60 }, (_, round) => {
      // Another order each time: no two prompts are alike, as in real traffic.
      const content = Array.from(
        { length: 1500 },
        (_unused, i) => words[(i * 7 + round * 131 + (i % 13) * round) % words.length]!,
      ).join('');
      const start = performance.now();
      const { tokens } = smollm.encodeChat([{ role: 'user', content }]);
      const took = performance.now() - start;
      expect(tokens.length).toBeGreaterThan(1800);
      return took;
    });
    const median = times.sort((a, b) => a - b)[30]!;
    expect(median).toBeLessThan(6);
  });
});
