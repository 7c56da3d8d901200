import { describe, expect, it } from '@jest/globals';
import type { Donor, SimilarPassage } from '../../src/kv/index.ts';
import { alignParaphrase } from '../../src/reuse/align-paraphrase.ts';
import { optionsOf, planReuse, type PlanInput } from '../../src/reuse/index.ts';
import { planRunner } from '../support/plan-runner.ts';

const NEWLINE = 0;
const words = ['\n'];
const ids = new Map<string, number>();
const encode = (text: string): Int32Array =>
  Int32Array.from(text.match(/\n|\S+/g)!, (word) => {
    if (word === '\n') return NEWLINE;
    if (!ids.has(word)) ids.set(word, words.push(word) - 1);
    return ids.get(word)!;
  });
const readText = (tokens: Int32Array, start: number, end: number): string =>
  Array.from(tokens.subarray(start, end), (id) => words[id]!).join(' ');

const advice = (verb: string, place: string): string =>
  `please ${verb} your hands with warm water before you enter the room and again when you go ` +
  `because visitors carry germs that harm people whose bodies are weak so ${verb} them for as long as ` +
  `it takes to sing a song and use the soap that stands ${place} the door of the room`;

const head = 'one two three four five six seven';
function input(before: string, after: string, change: Partial<PlanInput> = {}): PlanInput {
  const [donorTokens, target] = [
    encode(`${head}\n${before}\nhow`),
    encode(`other\n${after}\nwhat`),
  ];
  const donor: Donor = {
    ...{ segment: 'g.1', scope: 's', owner: null, tokens: donorTokens },
    ...{ exactTokens: donorTokens.length, promptTokens: donorTokens.length, storedAt: 0 },
  };
  const passage: SimilarPassage = {
    donor,
    source: { start: 8, end: donorTokens.length - 1 },
    target: { start: 2, end: target.length - 1 },
    similarity: 0.95,
  };
  return {
    planId: 'p',
    target,
    suffixStart: target.length - 1,
    tokenClasses: Uint8Array.from({ length: 10_000 }, (_, id) => (id === NEWLINE ? 2 : 0)),
    candidates: {
      exactPrefix: null,
      continuation: null,
      approximatePrefix: null,
      runs: [],
      nominated: [donor],
      similarity: new Map([[donor, 0.95]]),
      passages: [passage],
    },
    options: { ...optionsOf('semantic'), mergeGap: 4 },
    runner: planRunner(),
    readText,
    ...change,
  };
}
const unequal = ({ target, candidates }: PlanInput, plan: ReturnType<typeof planReuse>['plan']) =>
  (plan?.imports ?? []).flatMap(({ donorStart, targetStart, length }) =>
    Array.from({ length }, (_, i) => i)
      .filter((i) => candidates.nominated[0]!.tokens[donorStart + i] !== target[targetStart + i])
      .map((i) => words[target[targetStart + i]!]!),
  );

describe('alignParaphrase', () => {
  const align = (a: string, b: string) => {
    const [donor, target] = [encode(a), encode(b)];
    const places = alignParaphrase(donor, { start: 0, end: donor.length }, target, {
      start: 0,
      end: target.length,
    });
    return places && [...places];
  };

  it('keeps the order, takes one word for another, leaves insertions alone', () => {
    expect(align('a b c d e f', 'a b x d e f')).toEqual([0, 1, 2, 3, 4, 5]);
    expect(align('a b c d e f', 'a b c new d e f')).toEqual([0, 1, 2, -1, 3, 4, 5]);
    expect(align('a b c d e f', 'a b d e f')).toEqual([0, 1, 3, 4, 5]);
    expect(align('a b c d e f g', 'a b x y d e f g')).toEqual([0, 1, 2, -1, 3, 4, 5, 6]);
  });

  it('gives up on long changes and on texts that have little in common', () => {
    const long = Array.from({ length: 10 }, (_, i) => `l${i}`).join(' ');
    const other = Array.from({ length: 10 }, (_, i) => `m${i}`).join(' ');
    const same = Array.from({ length: 12 }, (_, i) => `s${i}`).join(' ');
    expect(align(`a ${long} ${same}`, `a ${other} ${same}`)!.slice(1, 11)).toEqual(
      Array.from({ length: 10 }, () => -1),
    );
    expect(align('a b c d', 'a x y z')).toBeNull();
  });
});

describe('policy semantic', () => {
  it('imports a passage that says the same in other words', () => {
    const given = input(advice('wash', 'beside'), advice('clean', 'beside'));
    const { plan, outcome, recomputedTokens } = planReuse(given);
    expect(outcome).toBe('reused');
    expect(unequal(given, plan)).toContain('clean');
    expect(plan).toMatchObject({ policy: 'semantic', fullLayers: 1 });
    expect(plan!.imports.every(({ exact }) => !exact)).toBe(true);
    expect(recomputedTokens).toBeLessThan(given.target.length / 2);
    // The first tokens of the passage are computed, whatever they are.
    expect(plan!.recompute[0]).toMatchObject({ start: 0 });
    expect(plan!.recompute[0]!.end).toBeGreaterThanOrEqual(2);
    const closure = planReuse({ ...given, options: optionsOf('edit-closure') });
    expect(closure.importedTokens).toBe(0);
  });

  it.each([
    ['a number', 'for as long', 'for 20'],
    ['a negation', 'people whose bodies', 'nobody whose bodies'],
    ['a name', 'visitors carry germs', 'visitors carry Salmonella'],
    ['a unit', 'to sing a song', 'to sing minutes'],
    ['a choice', 'before you enter', 'after you enter'],
    ['code', 'use the soap', 'use x=1 soap'],
  ])('leaves a passage alone in which %s differs', (_, from, to) => {
    const text = advice('wash', 'beside');
    const given = input(text, text.replace(from, to));
    expect(given.target).not.toEqual(input(text, text).target);
    expect(planReuse(given).importedTokens).toBe(0);
  });

  it('asks for a similarity of .92, more when the route does', () => {
    const given = input(advice('wash', 'beside'), advice('clean', 'beside'));
    const [passage] = given.candidates.passages;
    const at = (similarity: number, minSimilarity = 0) =>
      planReuse({
        ...given,
        candidates: { ...given.candidates, passages: [{ ...passage!, similarity }] },
        options: { ...given.options, minSimilarity },
      }).importedTokens;
    expect(at(0.93)).toBeGreaterThan(0);
    expect(at(0.91)).toBe(0);
    expect(at(0.93, 0.94)).toBe(0);
  });

  it('never takes more than 30 % of the prompt for other tokens', () => {
    const text = advice('wash', 'beside').split(' ');
    const changed = text.map((word, i) => (i % 2 === 1 ? `${word}ly` : word)).join(' ');
    const given = input(text.join(' '), changed);
    const { plan } = planReuse(given);
    expect(unequal(given, plan).length).toBeLessThanOrEqual(0.3 * given.target.length);
  });

  it('is refused by a runner that cannot do it, with a reason', () => {
    const able = planRunner().capabilities;
    const runner = planRunner({ capabilities: { ...able, unequalTokens: false } });
    const given = input(advice('wash', 'beside'), advice('clean', 'beside'), { runner });
    expect(planReuse(given)).toMatchObject({ outcome: 'cold', reason: 'runner-unable' });
  });
});
