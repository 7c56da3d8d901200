import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import type { Donor } from '../../src/kv/index.ts';
import { DonorIndex } from '../../src/match/index.ts';
import { findCandidates, SimilarPrompts } from '../../src/similar/index.ts';
import { VectorIndexes } from '../../src/vectors/index.ts';
import { embedText, wordEmbedder } from '../support/word-embedder.ts';

const NEWLINE = 0;
const vocabulary = ['\n'];
const ids = new Map<string, number>();
const tokenClasses = new Uint8Array(10_000);
tokenClasses[NEWLINE] = 2;

/** Words and line ends are tokens. */
function encode(text: string): Int32Array {
  const tokens = text.match(/\n|\S+/g)!.map((word) => {
    if (word === '\n') return NEWLINE;
    if (!ids.has(word)) ids.set(word, vocabulary.push(word) - 1);
    return ids.get(word)!;
  });
  return Int32Array.from(tokens);
}
const readText = (tokens: Int32Array, start: number, end: number): string =>
  Array.from(tokens.subarray(start, end), (id) => vocabulary[id]!).join(' ');

const vectors = new VectorIndexes({ dimension: 64 });
afterAll(() => vectors.close());
const opened: SimilarPrompts[] = [];
afterEach(async () => {
  for (const similar of opened.splice(0)) await similar.close();
});

function open(embedder = wordEmbedder()) {
  const failures: unknown[] = [];
  const similar = new SimilarPrompts({
    embedder,
    vectors,
    tokenClasses,
    readText,
    onFailure: (error) => failures.push(error),
  });
  opened.push(similar);
  return { similar, embedder, failures };
}

let segments = 0;
function donorOf(text: string, change: Partial<Donor> = {}): Donor {
  const tokens = encode(text);
  return {
    segment: `s.${segments++}`,
    scope: 'a',
    owner: null,
    tokens,
    exactTokens: tokens.length,
    promptTokens: tokens.length,
    storedAt: 0,
    ...change,
  };
}

const line = (topic: string, words = 30): string =>
  Array.from({ length: words }, (_, i) => `${topic}${i}`).join(' ');
const preamble = line('rule', 60);
const wards = ['heart', 'lung', 'skin', 'bone'].map((topic) => line(topic));
/** The same with a word changed. */
const reworded = (text: string): string => text.replace(/\S+4(?=\s)/, 'instead');

const query = (text: string, change: object = {}) => ({
  scope: 'a',
  target: encode(text),
  prefix: 0,
  since: -Infinity,
  ...change,
});

describe('SimilarPrompts', () => {
  it('nominates what says the same in other words, not what shares the preamble', async () => {
    const { similar } = open();
    const donors = wards.map((ward) => donorOf(`${preamble}\n${ward}\nWhat now?`));
    for (const donor of donors) similar.add(donor);
    await similar.settled();
    const target = `${preamble}\n${reworded(wards[2]!)}\nAnd then?`;
    const { best, paraphrases } = await similar.search(query(target));
    const passages = paraphrases();
    expect(best[0]).toBe(donors[2]);
    const pair = passages.find(({ similarity }) => similarity < 0.999);
    expect(pair).toMatchObject({ donor: donors[2] });
    expect(readText(donors[2]!.tokens, pair!.source.start, pair!.source.end)).toContain('skin0');
  });

  it('looks for what resembles a passage that only prompts have which are too old', async () => {
    const { similar } = open();
    const [old, fresh] = [
      donorOf(wards[0]!, { storedAt: 1 }),
      donorOf(reworded(wards[0]!), { storedAt: 10 }),
    ];
    similar.add(old);
    similar.add(fresh);
    await similar.settled();
    expect((await similar.search(query(wards[0]!, { since: 5 }))).best).toEqual([fresh]);
    expect((await similar.search(query(wards[0]!))).best[0]).toBe(old);
  });

  it('sees only its own scope', async () => {
    const { similar } = open();
    similar.add(donorOf(wards[0]!, { scope: 'b' }));
    await similar.settled();
    expect((await similar.search(query(wards[0]!))).best).toEqual([]);
    expect((await similar.search(query(wards[0]!, { scope: 'b' }))).best).toHaveLength(1);
  });

  it('embeds a text once, and nothing that the exact prefix serves', async () => {
    const { similar, embedder } = open();
    similar.add(donorOf(`${preamble}\n${wards[0]!}`));
    await similar.settled();
    expect(embedder.asked).toHaveLength(2);
    await similar.search(query(`${preamble}\n${wards[0]!}`));
    expect(embedder.asked).toHaveLength(2);
    const other = `${line('system', 40)}\n${wards[1]!}`;
    await similar.search(query(other, { prefix: 41 }));
    expect(embedder.asked).toEqual([...embedder.asked.slice(0, 2), wards[1]]);
  });

  it('forgets a donor without a trace, also one that is still being embedded', async () => {
    const { similar } = open();
    const [first, second] = [donorOf(wards[0]!), donorOf(wards[0]!)];
    similar.add(first);
    similar.add(second);
    await similar.settled();
    expect(similar.stats()).toMatchObject({ donors: 2, passages: 1 });
    similar.remove(first);
    expect((await similar.search(query(wards[0]!))).best).toEqual([second]);
    similar.remove(second);
    const late = donorOf(wards[1]!);
    similar.add(late);
    similar.remove(late);
    await similar.settled();
    expect(similar.stats()).toEqual({ donors: 0, passages: 0, bytes: 0, lag: 0 });
  });

  it('takes only what was computed exactly, and only donors that are new enough', async () => {
    const { similar } = open();
    const text = `${wards[0]!}\n${wards[1]!}`;
    const old = donorOf(text, { exactTokens: 31, storedAt: 5 });
    similar.add(old);
    await similar.settled();
    expect((await similar.search(query(wards[1]!))).paraphrases()).toEqual([]);
    expect((await similar.search(query(wards[0]!))).paraphrases()).toHaveLength(1);
    expect((await similar.search(query(wards[0]!, { since: 6 }))).best).toEqual([]);
  });

  it('learns what is usual among unrelated prompts', async () => {
    const { similar } = open();
    const fresh = { threshold: 0.7, pairs: 0, median: null };
    expect(similar.calibrationOf('a')).toMatchObject(fresh);
    for (let i = 0; i < 90; i++) similar.add(donorOf(`${line(`topic${i}x`)}\n${line('all')}`));
    await similar.settled();
    const { threshold, pairs, median, p90 } = similar.calibrationOf('a');
    expect(pairs).toBeGreaterThan(50);
    expect(median!).toBeLessThan(p90!);
    expect(threshold).toBeGreaterThanOrEqual(0.5);
    expect(threshold).toBeLessThan(0.95);
    // Of other tenants nothing is learned, and they learn nothing.
    similar.add(donorOf(wards[0]!, { scope: 'b' }));
    await similar.settled();
    expect(similar.calibrationOf('b')).toMatchObject(fresh);
    expect(similar.calibrationOf('nobody')).toMatchObject(fresh);
  });
});

describe('findCandidates', () => {
  const index = new DonorIndex();
  const known = donorOf(`${wards[0]!}\n${wards[1]!}`);
  index.add(known);
  const target = encode(`${line('card')}\n${wards[0]!}\n${wards[1]!}`);
  const ask = (similar: SimilarPrompts | null) =>
    findCandidates(index, similar, {
      scope: 'a',
      owner: null,
      target,
      minRun: 32,
      paraphrases: true,
    });

  it('tells the similarity of donors that tokens found', async () => {
    const { similar } = open();
    similar.add(known);
    await similar.settled();
    const { runs, similarity, nominated } = await ask(similar);
    expect(runs).toHaveLength(1);
    expect(similarity.get(known)).toBeGreaterThan(0.7);
    expect(nominated).toEqual([known]);
  });

  it.each([
    ['throws', wordEmbedderThat(() => Promise.reject(new Error('down')))],
    ['hangs', wordEmbedderThat(() => new Promise(() => undefined))],
    ['gives NaN', wordEmbedder(() => new Float32Array(64).fill(NaN))],
    ['gives another dimension', wordEmbedder(() => new Float32Array(3).fill(0.5))],
  ])('goes on with equal tokens when the embedder %s', async (_, embedder) => {
    const { similar, failures } = open();
    similar.add(known);
    await similar.settled();
    const broken = open(embedder);
    broken.similar.add(donorOf(line('other')));
    const start = performance.now();
    const { runs } = await ask(broken.similar);
    expect(performance.now() - start).toBeLessThan(500);
    expect(runs).toHaveLength(1);
    expect(failures).toEqual([]);
  });
});

function wordEmbedderThat(embed: () => Promise<never>) {
  return { ...wordEmbedder(embedText), embed };
}
