import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { builtInCases } from '../../../src/bench/quality/cases/index.ts';
import { limitByFamily, readCases } from '../../../src/bench/quality/quality-case.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvshare-quality-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

const messages = [{ role: 'user', content: 'Hello' }];
const good = { id: 'x', family: 'f', donors: [{ messages }], target: { messages } };

describe('the built-in cases', () => {
  const families = new Map<string, typeof builtInCases>();
  for (const one of builtInCases) {
    families.set(one.family, [...(families.get(one.family) ?? []), one]);
  }

  it('are eleven families of at least twenty, all different', () => {
    expect([...families.keys()].sort()).toEqual([
      'edit_far',
      'edit_near',
      'edit_negation',
      'edit_number',
      'few_shot_reorder',
      'multi_donor',
      'negative_control',
      'paraphrase',
      'passage_reorder',
      'same_doc_new_question',
      'shifted_prefix',
    ]);
    for (const cases of families.values()) expect(cases.length).toBeGreaterThanOrEqual(20);
    const texts = new Set(
      builtInCases.map(({ donors, target }) => JSON.stringify([donors, target])),
    );
    expect(texts.size).toBe(builtInCases.length);
    expect(new Set(builtInCases.map(({ id }) => id)).size).toBe(builtInCases.length);
  });

  it('edit one value, and say what the answer is before and after', () => {
    const edits = builtInCases.filter(({ answerNew }) => answerNew !== undefined);
    expect(edits).toHaveLength(21 + 21 + 20 + 27);
    for (const { donors, target, answerNew, answerOld } of edits) {
      expect(answerNew).not.toBe(answerOld);
      const [before, after] = [donors[0]!.messages[1]!.content, target.messages[1]!.content];
      expect(before).not.toBe(after);
      // A few words differ, no more.
      const words = new Set(before.split(' '));
      expect(after.split(' ').filter((word) => !words.has(word)).length).toBeLessThanOrEqual(2);
    }
  });

  it('have a reference wherever the answer stands in a text', () => {
    const rest = builtInCases.filter(({ answerNew }) => answerNew === undefined);
    expect(rest.every(({ reference }) => reference)).toBe(true);
  });

  it('are limited by family', () => {
    const few = limitByFamily(builtInCases, 2);
    expect(few).toHaveLength(22);
    expect(few[1]!.id).toBe('shifted_prefix-1');
  });
});

describe('a case file', () => {
  const read = async (lines: readonly unknown[]) => {
    const path = join(folder, 'cases.jsonl');
    await writeFile(path, lines.map((line) => JSON.stringify(line)).join('\n'));
    return readCases(path);
  };

  it('is read as it is', async () => {
    const edit = { ...good, id: 'y', answerNew: '8', answerOld: '5', reference: 'Eight.' };
    expect(await read([good, edit])).toEqual([good, edit]);
  });

  it.each([
    [{ ...good, id: undefined }, 'lacks id or family'],
    [{ ...good, target: { messages: [] } }, 'without messages'],
    [{ ...good, donors: [{ messages: [{ role: 'user' }] }] }, 'without messages'],
    [{ ...good, reference: 3 }, 'not a text'],
    [{ ...good, answerNew: 'a' }, 'only one of'],
  ])('is refused with its line: %j', async (wrong, message) => {
    await expect(read([good, wrong])).rejects.toMatchObject({ code: 'config_invalid' });
    await expect(read([good, wrong])).rejects.toThrow(message);
  });

  it('is refused when an id stands twice, when it is empty, when it is not there', async () => {
    await expect(read([good, good])).rejects.toThrow('twice');
    await expect(read([])).rejects.toThrow('is empty');
    await expect(readCases(join(folder, 'none.jsonl'))).rejects.toThrow('cannot be read');
  });
});
