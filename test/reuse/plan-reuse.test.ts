import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { noCandidates, type Candidates, type Donor } from '../../src/kv/index.ts';
import { DonorIndex } from '../../src/match/index.ts';
import { checkPlan, type PolicyName, type ReusePlan } from '../../src/protocol/index.ts';
import {
  defaultReuseOptions,
  optionsOf,
  planReuse,
  putTogether,
  recipeOf,
  type PlanInput,
  type ReuseOptions,
} from '../../src/reuse/index.ts';
import { donorOf } from '../support/brute-force.ts';
import { planRunner, readWords } from '../support/plan-runner.ts';

// Token ids: 1 = sentence end, 2 = newline, 3 = special, everything from 10 on = words.
const [STOP, NEWLINE] = [1, 2];
const tokenClasses = new Uint8Array(5000);
tokenClasses[1] = 1;
tokenClasses[2] = 2;
tokenClasses[3] = 4;

const { speeds } = planRunner();
const MIN_RUN = defaultReuseOptions.minRun;

function planFor(
  donors: readonly Donor[],
  target: readonly number[],
  overrides: Partial<ReuseOptions> & {
    suffixTokens?: number;
    owner?: string;
    similarity?: Candidates['similarity'];
    readText?: PlanInput['readText'];
    runner?: PlanInput['runner'];
    minDonorSimilarity?: number;
  } = {},
) {
  const { suffixTokens = 5, owner = null, similarity = new Map(), ...rest } = overrides;
  const { readText = readWords, runner = planRunner(), minDonorSimilarity = 0, ...options } = rest;
  const index = new DonorIndex();
  for (const donor of donors) index.add(donor);
  const tokens = Int32Array.from(target);
  const asked = { ...defaultReuseOptions, ...options };
  const query = { scope: 'scope-a', owner, target: tokens, recipe: recipeOf(asked) };
  return planReuse({
    planId: 'plan',
    target: tokens,
    suffixStart: Math.max(0, tokens.length - suffixTokens),
    tokenClasses,
    candidates: {
      ...index.candidates(query, MIN_RUN),
      similarity,
    },
    options: asked,
    minDonorSimilarity,
    runner,
    readText,
  });
}

/** `length` different words. */
const words = (length: number, from: number): number[] =>
  Array.from({ length }, (_, i) => 10 + from * 200 + i);
/** A passage: three sentences and a newline, 43 tokens. */
const passage = (n: number): number[] => [
  ...words(13, n),
  STOP,
  ...words(13, n).map((w) => w + 50),
  STOP,
  ...words(13, n).map((w) => w + 100),
  STOP,
  NEWLINE,
];
const question = words(5, 20);
const rangesOf = (decision: ReturnType<typeof planFor>) =>
  decision.plan!.recompute.map(({ start, end, reason }) => `${start}-${end} ${reason}`);

describe('planReuse, case by case', () => {
  const document = [1, 2, 3, 4, 5, 6].flatMap(passage);

  it('imports a common prefix exactly and computes the rest', () => {
    const decision = planFor(
      [donorOf('a', [...document, ...question])],
      [...document, ...words(6, 21)],
    );
    expect(decision).toMatchObject({
      outcome: 'exact',
      reason: 'full',
      exactTokens: document.length,
    });
    expect(decision.plan!.imports).toEqual([
      { segment: 'a', donorStart: 0, targetStart: 0, length: document.length, exact: true },
    ]);
    expect(decision.recomputedTokens).toBe(6);
  });

  it('moves a document behind another card: card fresh, seam, delimiters, question', () => {
    const system = words(8, 30);
    const donor = donorOf('a', [...system, ...words(9, 31), NEWLINE, ...document, ...question]);
    const target = [...system, ...words(14, 32), NEWLINE, ...document, ...words(5, 21)];
    const decision = planFor([donor], target);
    expect(decision.outcome).toBe('reused');
    const ranges = rangesOf(decision);
    // The newline before the document is part of the run, but not of the seam.
    expect(ranges.slice(0, 2)).toEqual(['8-22 changed', '22-39 seam']);
    expect(ranges.at(-1)).toBe(`${target.length - 5}-${target.length} suffix`);
    expect(ranges.filter((r) => r.endsWith('delimiter')).length).toBeGreaterThan(10);
    expect(decision.plan!.imports).toEqual([
      { segment: 'a', donorStart: 0, targetStart: 0, length: 8, exact: true },
      { segment: 'a', donorStart: 17, targetStart: 22, length: document.length + 1, exact: false },
    ]);
  });

  it('closes an edit inside a block: to the end of the block, at least 32 tokens', () => {
    const edited = [...document];
    edited[150] = 4999;
    const decision = planFor([donorOf('a', [...document, ...question])], [...edited, ...question]);
    expect(decision).toMatchObject({ outcome: 'reused', exactTokens: 150 });
    expect(rangesOf(decision).slice(0, 2)).toEqual(['150-151 changed', '151-183 closure']);
  });

  it('closes an edit whatever serves the text on its left', () => {
    // Donor a has the whole document with one word changed, donor b the front of it as it is now.
    const edited = [...document];
    edited[150] = 4999;
    const target = [...words(9, 32), NEWLINE, ...edited, ...question];
    const a = donorOf('a', [...words(12, 33), NEWLINE, ...document, ...question]);
    const b = donorOf('b', [...words(9, 32), NEWLINE, ...edited.slice(0, 151), ...words(30, 39)]);
    const decision = planFor([a, b], target);
    expect(decision.plan!.imports.map(({ segment }) => segment)).toEqual(['b', 'a']);
    expect(rangesOf(decision)[0]).toBe('161-193 closure');
  });

  it('recomputes the rest of the block where a moved passage got another label', () => {
    const labelled = (order: number[]): number[] =>
      order.flatMap((n, i) => [4990, 4900 + i, ...passage(n), ...passage(n + 10)]).concat(question);
    const donor = donorOf('a', [...words(8, 30), NEWLINE, ...labelled([1, 2, 3, 4, 5])]);
    const target = [...words(8, 30), NEWLINE, ...labelled([1, 2, 4, 5, 3])];
    // Passage 4 comes third: behind 9 tokens and two passages of 88; its label is two tokens long.
    const ranges = rangesOf(planFor([donor], target, { fallbacks: false }));
    expect(ranges[0]).toBe('187-230 seam');
  });

  it('inserts a passage between two others: the passage and one seam', () => {
    const grown = [...document.slice(0, 129), ...passage(7), ...document.slice(129)];
    const decision = planFor([donorOf('a', [...document, ...question])], [...grown, ...question]);
    expect(decision.plan!.imports.map(({ targetStart }) => targetStart)).toEqual([0, 170]);
    expect(rangesOf(decision).slice(0, 2)).toEqual(['129-170 changed', '170-188 seam']);
  });

  it('takes each of two swapped passages with a seam of its own', () => {
    const donor = donorOf('a', [...words(8, 30), NEWLINE, ...document, ...question]);
    const swapped = [1, 5, 3, 4, 2, 6].flatMap(passage);
    const decision = planFor([donor], [...words(8, 30), NEWLINE, ...swapped, ...question]);
    expect(decision.plan!.imports.map(({ donorStart }) => donorStart)).toEqual([
      0, 181, 95, 52, 224,
    ]);
    const seams = rangesOf(decision).filter((range) => range.endsWith('seam'));
    expect(seams).toEqual(['52-68 seam', '95-111 seam', '181-197 seam', '224-240 seam']);
  });

  it('closes a deletion inside a block as well', () => {
    const shortened = [...document.slice(0, 150), ...document.slice(153)];
    const decision = planFor(
      [donorOf('a', [...document, ...question])],
      [...shortened, ...question],
    );
    expect(rangesOf(decision)[0]).toBe('150-182 closure');
  });

  it('computes what was read near the beginning and now stands behind much more text', () => {
    const system = [...words(7, 30), NEWLINE];
    const first = words(90, 40);
    const donor = donorOf('a', [...system, ...first, NEWLINE, ...document, ...question]);
    const target = [...system, ...document, ...first, NEWLINE, ...words(5, 21)];
    const at = system.length + document.length;
    const freshTokens = (contextGrowth: number): number => {
      const { recompute } = planFor([donor], target, { contextGrowth }).plan!;
      const [range] = recompute.filter(({ start, end }) => start <= at && at < end);
      return range!.end - at;
    };
    expect(freshTokens(0)).toBe(16);
    // 8 + j tokens before it in the donor, 266 + j here.
    expect(freshTokens(5)).toBe(Math.ceil((at - 5 * 8) / 4));
    expect(freshTokens(6)).toBe(Math.ceil((at - 6 * 8) / 5));
    // All of it.
    expect(freshTokens(2)).toBe(first.length + 1);
  });

  it('serves two donors and prefers long runs', () => {
    const first = donorOf('a', [...[1, 2, 3].flatMap(passage), ...words(40, 40), ...question]);
    const second = donorOf('b', [...words(30, 41), ...[4, 5, 6].flatMap(passage), ...question]);
    const decision = planFor([first, second], [...document, ...words(5, 21)]);
    expect(decision.outcome).toBe('reused');
    expect(decision.plan!.imports.map(({ segment }) => segment)).toEqual(['a', 'b']);
  });

  it('takes no short fragment out of the middle of other text, but a whole block or one next to its neighbour', () => {
    const long = words(140, 52).map((word) => word + 1_000);
    const fragment = (length: number): number[] => long.slice(0, length);
    const donor = (inside: readonly number[], left = words(60, 60)): Donor =>
      donorOf('a', [...words(20, 30), NEWLINE, ...document, ...left, ...inside, ...words(30, 64)]);
    const target = (inside: readonly number[], left = words(60, 68)): number[] => [
      ...words(12, 72),
      NEWLINE,
      ...document,
      ...left,
      ...inside,
      ...words(30, 76),
      ...words(5, 21),
    ];
    // With the newline in front of it.
    const moved = document.length + 1;
    const imported = (from: Donor, to: readonly number[]): number[] =>
      // So little is computed at its ends that it would pay.
      planFor([from], to, { seam: 4, closure: { min: 0, max: 0 } }).plan!.imports.map(
        ({ length }) => length,
      );
    expect(imported(donor(fragment(40)), target(fragment(40)))).toEqual([moved]);
    expect(imported(donor(fragment(110)), target(fragment(110)))).toEqual([moved, 110]);
    const block = [NEWLINE, ...fragment(40), NEWLINE];
    expect(imported(donor(block), target(block))).toEqual([moved, 42]);
    // Between it and the document stand 20 other words, there and here.
    const [there, here] = [words(20, 60), words(20, 68)];
    const beside = imported(donor(fragment(40), there), target(fragment(40), here));
    expect(beside).toEqual([moved, 40]);
  });

  it('needs no more donors than it has to', () => {
    const parts = [1, 2, 3].map((n) => words(60, n).concat(NEWLINE));
    const all = donorOf('all', [...words(20, 30), NEWLINE, ...parts.flat(), ...question]);
    const each = parts.map((part, i) =>
      donorOf(`part-${i}`, [...words(20, 31 + i), NEWLINE, ...part, ...question]),
    );
    const target = [...words(12, 40), NEWLINE, ...parts.flat(), ...words(5, 21)];
    // The others are newer, and have the same text.
    const { imports } = planFor([all, ...each], target).plan!;
    expect(new Set(imports.map(({ segment }) => segment))).toEqual(new Set(['all']));
  });

  it('takes the newest of equal donors, but rather one that serves the prompt already', () => {
    const [card, other] = [words(20, 30), words(20, 31)];
    const donors = ['old', 'new'].map((name, i) =>
      donorOf(name, [...words(12, 32 + i), NEWLINE, ...document, ...question]),
    );
    const target = [...card, NEWLINE, ...document, ...words(5, 21)];
    const segments = (decision: ReturnType<typeof planFor>) =>
      decision.plan!.imports.map(({ segment }) => segment);
    expect(segments(planFor(donors, target))).toEqual(['new']);
    const mine = donorOf('mine', [...card, NEWLINE, ...other, NEWLINE, ...document, ...question]);
    expect(segments(planFor([mine, ...donors], target))).toEqual(['mine', 'mine']);
  });

  it('joins recomputed stretches less than 16 tokens apart, but no delimiters', () => {
    const plain = words(120, 10);
    const edited = [...plain];
    edited[100] = STOP;
    edited[104] = STOP;
    const donor = donorOf('a', [...words(9, 11), NEWLINE, ...edited, ...question]);
    const target = [...words(12, 12), NEWLINE, ...edited, ...question];
    expect(rangesOf(planFor([donor], target))).toEqual([
      '0-12 changed',
      '12-29 seam',
      '113-114 delimiter',
      '117-118 delimiter',
      `${target.length - 5}-${target.length} suffix`,
    ]);
    // Two edits 41 tokens apart: 9 tokens are left behind the first closure, too few to import.
    const twice = [...document];
    twice[47] = 4999;
    twice[89] = 4999;
    const decision = planFor([donorOf('b', [...document, ...question])], [...twice, ...question]);
    expect(decision.plan!.imports.map(({ targetStart }) => targetStart)).toEqual([0, 90]);
    expect(rangesOf(decision).slice(0, 2)).toEqual(['47-90 changed', '90-129 closure']);
  });

  it('never moves the first positions of a donor', () => {
    const donor = donorOf('a', [...document, ...question]);
    const decision = planFor([donor], [...words(6, 33), NEWLINE, ...document, ...question]);
    expect(decision.plan!.imports[0]).toMatchObject({ donorStart: 4, targetStart: 11 });
  });

  it('goes on from the same user’s approximate KV in place, without new seams', () => {
    const earlier = donorOf('a', [...document, ...question], { owner: 'o', exactTokens: 60 });
    const target = [...document, ...question, ...words(40, 34)];
    const decision = planFor([earlier], target, { owner: 'o' });
    expect(decision.plan!.imports).toEqual([
      { segment: 'a', donorStart: 0, targetStart: 0, length: 60, exact: true },
      { segment: 'a', donorStart: 60, targetStart: 60, length: document.length - 55, exact: false },
    ]);
    expect(decision.recomputedTokens).toBe(40);
    // Somebody else gets the exact part only.
    expect(planFor([earlier], target, { owner: 'p' })).toMatchObject({
      exactTokens: 60,
      importedTokens: 0,
    });
  });

  it('takes the beginning from whoever has more of it exactly, and goes on from the same user’s KV', () => {
    const earlier = donorOf('a', [...document, ...question], { owner: 'o', exactTokens: 60 });
    const healed = donorOf('b', document.slice(0, 172));
    const target = [...document, ...question, ...words(40, 34)];
    const { plan } = planFor([earlier, healed], target, { owner: 'o' });
    expect(plan!.imports).toEqual([
      { segment: 'b', donorStart: 0, targetStart: 0, length: 172, exact: true },
      { segment: 'a', donorStart: 172, targetStart: 172, length: 91, exact: false },
    ]);
    // Not for a few tokens more than the exact prefix.
    const whole = donorOf('c', [...document, ...words(5, 50)]);
    expect(planFor([earlier, whole], target, { owner: 'o' })).toMatchObject({
      exactTokens: document.length,
      importedTokens: 0,
    });
  });

  it('computes the suffix fresh over approximate KV, but not over an exact prefix', () => {
    const target = [...document, ...question, ...words(6, 34)];
    const earlier = { owner: 'o', promptTokens: document.length + 5 };
    const tokens = [...document, ...question];
    const approximate = donorOf('a', tokens, { ...earlier, exactTokens: 60 });
    const decision = planFor([approximate], target, { owner: 'o', suffixTokens: 30 });
    expect(decision.plan!.imports.at(-1)).toMatchObject({ targetStart: 60, length: 179 });
    expect(rangesOf(decision)).toEqual([`239-${target.length} suffix`]);
    const exact = planFor([donorOf('a', tokens, earlier)], target, {
      owner: 'o',
      suffixTokens: 30,
    });
    expect(exact).toMatchObject({ outcome: 'exact', exactTokens: tokens.length });
    expect(rangesOf(exact)).toEqual([`${tokens.length}-${target.length} suffix`]);
    const repeated = planFor([donorOf('a', tokens)], tokens);
    expect(repeated).toMatchObject({ exactTokens: tokens.length - 1, recomputedTokens: 1 });
  });

  it('falls back when too little is saved', () => {
    const target = [...passage(1), ...words(190, 4), ...words(190, 5), ...question];
    const decision = planFor(
      [donorOf('a', [...words(20, 9), NEWLINE, ...passage(1), ...question])],
      target,
    );
    expect(decision).toMatchObject({ outcome: 'cold', reason: 'too-little-reuse', plan: null });
  });

  it('falls back when the order is mostly reversed, unless told not to', () => {
    const donor = donorOf('a', [...words(20, 9), NEWLINE, ...document, ...question]);
    const target = [...words(10, 8), NEWLINE, ...[6, 5, 4, 3, 2, 1].flatMap(passage), ...question];
    expect(planFor([donor], target, { minReuse: 0.1 })).toMatchObject({ reason: 'inverted-order' });
    expect(planFor([donor], target, { fallbacks: false }).outcome).toBe('reused');
  });

  it('falls back when importing would be slower than computing', () => {
    const donor = donorOf('a', [...words(20, 9), NEWLINE, ...document, ...question]);
    const target = [...words(10, 8), NEWLINE, ...document, ...question];
    const index = new DonorIndex();
    index.add(donor);
    const tokens = Int32Array.from(target);
    const decision = planReuse({
      planId: 'plan',
      target: tokens,
      suffixStart: tokens.length - 5,
      tokenClasses,
      candidates: index.candidates({ scope: 'scope-a', owner: null, target: tokens }, MIN_RUN),
      options: defaultReuseOptions,
      runner: planRunner({ speeds: { ...speeds, importMsPerToken: 10 } }),
      readText: readWords,
    });
    expect(decision.reason).toBe('below-break-even');
  });

  describe('in strict mode', () => {
    const edited = [...document];
    edited[150] = 4999;
    const target = [...edited, ...question];
    const donors = [donorOf('a', [...document, ...question])];
    const critical = (tokens: Int32Array, start: number, end: number): string =>
      Array.from(tokens.subarray(start, end), (id) =>
        id === 4999 ? '80 mg' : id === document[150] ? '50 mg' : `v${'x'.repeat(id % 7)}`,
      ).join(' ');

    it('stays with the exact prefix behind an edit of a number', () => {
      const strict = planFor(donors, target, { strict: true, readText: critical });
      expect(strict).toMatchObject({
        outcome: 'exact',
        reason: 'critical-edit',
        exactTokens: 150,
        recomputedTokens: target.length - 150,
      });
      expect(planFor(donors, target, { readText: critical }).outcome).toBe('reused');
    });

    it('reuses behind an edit of wording', () => {
      expect(planFor(donors, target, { strict: true }).outcome).toBe('reused');
    });

    it('reuses behind a card that was replaced as a whole, whatever numbers it has', () => {
      const card = (from: number): number[] => [...words(12, from), 4999, NEWLINE];
      const donor = donorOf('a', [...card(30), ...document, ...question]);
      const moved = [...card(31), ...document, ...words(5, 21)];
      const decision = planFor([donor], moved, { strict: true, readText: critical });
      expect(decision.outcome).toBe('reused');
    });
  });

  it('goes on from what the same settings put together, and computes the question', () => {
    const tokens = [...words(9, 30), NEWLINE, ...document, ...words(5, 22)];
    const recipe = recipeOf(defaultReuseOptions);
    const importedTo = tokens.length - 5;
    const donor = { ...donorOf('a', tokens, { exactTokens: 10, owner: 'o' }), recipe, importedTo };
    const target = [...tokens.slice(0, -5), ...words(5, 21)];
    const decision = planFor([donor], target);
    expect(decision.plan!.imports).toEqual([
      { segment: 'a', donorStart: 0, targetStart: 0, length: 10, exact: true },
      { segment: 'a', donorStart: 10, targetStart: 10, length: document.length, exact: false },
    ]);
    expect(decision.recomputedTokens).toBe(5);
    // What others put together may be worse than what is asked for here.
    expect(planFor([donor], target, { seam: 24 })).toMatchObject({
      outcome: 'exact',
      exactTokens: 10,
    });
    // What was judged is the whole: a part of it may be in the wrong order.
    const part = [...tokens.slice(0, -45), ...words(5, 21)];
    expect(planFor([donor], part)).toMatchObject({ outcome: 'exact', exactTokens: 10 });
    // How similar its donors were says nothing of how similar it is.
    const likeness = (similarity: number) =>
      planFor([donor], target, {
        minDonorSimilarity: 0.8,
        similarity: new Map([[donor, similarity]]),
      });
    expect([likeness(0.79).outcome, likeness(0.8).outcome]).toEqual(['exact', 'reused']);
    // Nor is it good enough where only lossless reuse is wanted.
    const exact = { ...donor, recipe: recipeOf({ ...defaultReuseOptions, policy: 'exact' }) };
    expect(planFor([exact], target, { policy: 'exact' }).importedTokens).toBe(0);
  });

  it('knows no settings for what stands on the same user’s KV of other settings', () => {
    const tokens = [...words(9, 30), NEWLINE, ...document, ...words(5, 22)];
    const options = defaultReuseOptions;
    const [importedTo, recipe] = [tokens.length - 5, recipeOf(options)];
    const longer = [...tokens, ...words(5, 21)];
    const after = (of: string | null) => {
      const donor = { ...donorOf('a', tokens, { exactTokens: 10, owner: 'o' }), recipe: of };
      const { plan } = planFor([donor], longer, { owner: 'o' });
      expect(plan!.imports.at(-1)).toMatchObject({ segment: 'a', exact: false });
      const candidates = { ...noCandidates, continuation: { donor, length: tokens.length } };
      return putTogether(plan, options, { candidates });
    };
    expect(after(recipe)).toEqual({ recipe, importedTo: tokens.length });
    expect(after(recipeOf({ ...options, policy: 'naive' })).recipe).toBeNull();
    expect(after(null).recipe).toBeNull();
    // As long, but put together as it should be: that one is gone on from.
    const made = { exactTokens: 10 };
    const others = { ...donorOf('b', tokens, made), recipe, importedTo };
    const own = { ...donorOf('a', tokens, { ...made, owner: 'o' }), recipe: null };
    const { plan } = planFor([own, others], longer, { owner: 'o' });
    expect(new Set(plan!.imports.map(({ segment }) => segment))).toEqual(new Set(['b']));
  });

  it('prefers a beginning that was computed exactly', () => {
    const tokens = [...words(9, 30), NEWLINE, ...document, ...words(5, 22)];
    const recipe = recipeOf(defaultReuseOptions);
    const importedTo = tokens.length - 5;
    const made = { ...donorOf('a', tokens, { exactTokens: 10 }), recipe, importedTo };
    const target = [...tokens.slice(0, -5), ...words(5, 21)];
    const decision = planFor([made, donorOf('b', tokens)], target);
    expect(decision).toMatchObject({ outcome: 'exact', exactTokens: target.length - 5 });
  });

  it('uses only donors that are similar enough, and nobody whose similarity is unknown', () => {
    const donor = donorOf('a', [...words(9, 30), NEWLINE, ...document, ...question]);
    const target = [...words(14, 31), NEWLINE, ...document, ...words(5, 21)];
    const asked = { minSimilarity: 0.8 };
    expect(planFor([donor], target, asked)).toMatchObject({
      outcome: 'cold',
      reason: 'low-similarity',
    });
    const at = (similarity: number) =>
      planFor([donor], target, { ...asked, similarity: new Map([[donor, similarity]]) }).outcome;
    expect(at(0.79)).toBe('cold');
    expect(at(0.8)).toBe('reused');
    // A client may ask for more than its route, whatever the policy makes of equal runs.
    const semantic = optionsOf('semantic');
    const similarity = new Map([[donor, 0.79]]);
    expect(planFor([donor], target, { ...semantic, similarity }).outcome).toBe('reused');
    const narrowed = { ...semantic, similarity, minDonorSimilarity: 0.8 };
    expect(planFor([donor], target, narrowed)).toMatchObject({
      outcome: 'cold',
      reason: 'low-similarity',
    });
  });

  it('drops extras that a runner cannot do, and a policy that is nothing without them', () => {
    const donor = donorOf('a', [...words(9, 30), NEWLINE, ...document, ...question]);
    const target = [...words(14, 31), NEWLINE, ...document, ...words(5, 21)];
    const topUp = { selector: 'query-attention', ratio: 0.1, window: 1, keep: 1 } as const;
    const plain = planRunner({
      capabilities: {
        imports: 'runs',
        topUp: [],
        fullLayers: false,
        decodeRefresh: false,
        unequalTokens: false,
      },
    });
    const asked = { topUp, fullLayers: 2 };
    expect(planFor([donor], target, asked).plan).toMatchObject({ topUp, fullLayers: 2 });
    const able = planFor([donor], target, { ...asked, runner: plain });
    expect(able.plan).toMatchObject({ topUp: null, fullLayers: 0 });
    expect([planFor([donor], target, asked).reason, able.reason]).toEqual([
      'full',
      'runner-unable',
    ]);
    for (const policy of ['cacheblend', 'dhd', 'semantic'] as const) {
      const decision = planFor([donor], target, { ...optionsOf(policy), runner: plain });
      expect(decision).toMatchObject({ outcome: 'cold', reason: 'runner-unable' });
    }
  });

  it('has drift corrected where text stands behind other text, and nothing else decides by layer', () => {
    const donor = donorOf('a', [...words(9, 30), NEWLINE, ...document, ...question]);
    const target = [...words(14, 31), NEWLINE, ...document, ...words(5, 21)];
    const ask = (overrides: Parameters<typeof planFor>[2]) => {
      const { plan, reason } = planFor([donor], target, overrides);
      return [plan!.driftCorrection, reason];
    };
    expect(ask({})).toEqual([0.4, 'full']);
    expect(ask({ driftCorrection: 0 })).toEqual([undefined, 'full']);
    expect(ask({ fullLayers: 1 })).toEqual([undefined, 'full']);
    expect(ask(optionsOf('legolink'))).toEqual([undefined, 'full']);
    // It makes an answer better, and is no reason to speak of where a runner has not heard of it.
    const { driftCorrection: _, ...older } = planRunner().capabilities;
    expect(ask({ runner: planRunner({ capabilities: older }) })).toEqual([undefined, 'full']);

    // Behind a changed word nearly all is the donor's own text. A sentence that is gone is what the rest still knows.
    const donors = [donorOf('b', [...document, ...question])];
    type Edit = [at: number, removed: number, ...inserted: number[]];
    const behindAll = (edits: readonly Edit[], options = {}) => {
      const edited = [...document];
      for (const edit of edits) edited.splice(...edit);
      const asked = { minReuse: 0.1, ...options };
      const { outcome, plan } = planFor(donors, [...edited, ...question], asked);
      expect(outcome).toBe('reused');
      return plan!;
    };
    const behind = (...edit: Edit) => {
      const plan = behindAll([edit]);
      expect(plan.recompute.map(({ reason }) => reason)).toContain('closure');
      return plan.driftCorrection;
    };
    const inserted = Array.from({ length: 8 }, (_, i) => 4990 + i);
    expect(behind(150, 1, 4999)).toBeUndefined();
    expect(behind(150, 7, ...inserted)).toBeUndefined();
    expect(behind(150, 0, ...inserted)).toBeUndefined();
    expect(behind(150, 8)).toBe(0.4);
    expect(behind(150, 8, ...inserted)).toBe(0.4);
    // What counts is what is gone, not how far apart it stood nor what is computed for it.
    for (const distance of [8, 12]) {
      const edits: Edit[] = [
        [150, 1, 4999],
        [150 + distance, 1, 4998],
      ];
      expect(behindAll(edits).driftCorrection).toBeUndefined();
    }
    expect(behindAll([[150, 1, 4999]], { seam: 64 }).driftCorrection).toBeUndefined();
    expect(behindAll([[150, 8]], { seam: 64 }).driftCorrection).toBe(0.4);
  });

  it('expects extras to cost time', () => {
    const donor = donorOf('a', [...words(9, 30), NEWLINE, ...document, ...question]);
    const target = [...words(14, 31), NEWLINE, ...document, ...words(5, 21)];
    const plain = planFor([donor], target, optionsOf('placeholder'));
    const blend = planFor([donor], target, optionsOf('cacheblend'));
    expect(blend.recomputedTokens).toBe(plain.recomputedTokens);
    expect(blend.predictedMs).toBeGreaterThan(plain.predictedMs);
    expect(planFor([donor], target, optionsOf('placeholder')).plan!.recompute.length).toBe(2);
    const seams = planFor([donor], target, optionsOf('legolink')).plan!.recompute;
    expect(seams.map(({ reason }) => reason)).toEqual(['changed', 'seam', 'suffix']);
  });

  it('does what off and exact say', () => {
    const donor = donorOf('a', [...document, ...question]);
    const target = [...document.slice(0, 60), 4999, ...document.slice(61), ...question];
    expect(planFor([donor], target, { policy: 'off' })).toMatchObject({
      outcome: 'cold',
      reason: 'policy-off',
    });
    expect(planFor([donor], target, { policy: 'exact' })).toMatchObject({
      outcome: 'exact',
      reason: 'policy-exact',
      exactTokens: 60,
      importedTokens: 0,
    });
    expect(planFor([], target)).toMatchObject({ outcome: 'cold', reason: 'no-donor' });
  });
});

/** Seams, delimiters and everything that is not imported are recomputed, for the reason they have. */
function expectRefreshed(plan: ReusePlan, target: readonly number[]): void {
  const reasons = new Map<number, string>();
  for (const { start, end, reason } of plan.recompute) {
    for (let at = start; at < end; at++) reasons.set(at, reason);
  }
  let end = 0;
  for (const { donorStart, targetStart, length } of plan.imports) {
    for (let at = end; at < targetStart; at++) expect(reasons.get(at)).toMatch(/changed|suffix/);
    end = targetStart + length;
    // A continuation goes on at its own place without a seam.
    if (donorStart === targetStart) continue;
    for (let at = targetStart; at < end; at++) {
      const isSeam = at < targetStart + defaultReuseOptions.seam;
      if (isSeam || (tokenClasses[target[at]!]! & 3) !== 0) expect(reasons.has(at)).toBe(true);
    }
  }
  for (let at = end; at < target.length; at++) expect(reasons.get(at)).toMatch(/changed|suffix/);
}

describe('planReuse, for every pair', () => {
  const part = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 6 }).map(passage) },
    { weight: 1, arbitrary: fc.array(fc.integer({ min: 1, max: 14 }), { maxLength: 20 }) },
  );
  const prompt = fc
    .array(part, { minLength: 1, maxLength: 6 })
    .map((parts) => parts.flat())
    .filter((tokens) => tokens.length > 1);
  const policies: PolicyName[] = ['edit-closure', 'exact', 'off'];

  it('gives a valid plan that imports only equal tokens, and always the same one', () => {
    const seen = { reused: 0, exact: 0, cold: 0 };
    fc.assert(
      fc.property(
        fc.array(prompt, { minLength: 1, maxLength: 3 }),
        prompt,
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(...policies),
        fc.boolean(),
        (all, target, suffixTokens, policy, fallbacks) => {
          const donors = all.map((tokens, i) =>
            donorOf(`s.${i}`, tokens, {
              owner: i === 0 ? 'o' : null,
              exactTokens: Math.max(1, tokens.length - i * 30),
            }),
          );
          const options = { policy, fallbacks, suffixTokens, owner: 'o' };
          const decision = planFor(donors, target, options);
          expect(planFor(donors, target, options)).toEqual(decision);
          seen[decision.outcome]++;
          const { plan } = decision;
          if (!plan) {
            expect(decision).toMatchObject({ outcome: 'cold', recomputedTokens: target.length });
            return;
          }
          checkPlan(plan, { numTokens: target.length, fingerprint: 'print' });
          for (const { segment, donorStart, targetStart, length, exact } of plan.imports) {
            const donor = donors.find((d) => d.segment === segment)!;
            const end = donorStart + length;
            for (let i = 0; i < length; i++) {
              expect(donor.tokens[donorStart + i]).toBe(target[targetStart + i]);
            }
            if (exact) expect(end).toBeLessThanOrEqual(donor.exactTokens);
            if (donorStart !== targetStart) {
              expect(donorStart).toBeGreaterThanOrEqual(4);
              expect(end).toBeLessThanOrEqual(donor.exactTokens);
            }
          }
          if (policy === 'exact') expect(plan.imports.every((entry) => entry.exact)).toBe(true);
          expectRefreshed(plan, target);
          const imported = plan.imports.reduce((sum, { length }) => sum + length, 0);
          expect(decision.exactTokens + decision.importedTokens).toBe(imported);
          expect(decision.predictedMs).toBeCloseTo(
            55 + 2 * decision.recomputedTokens + 0.05 * imported,
          );
          const fresh = plan.recompute.reduce((sum, r) => sum + r.end - r.start, 0);
          expect(decision.recomputedTokens).toBe(fresh);
        },
      ),
      { numRuns: 500 },
    );
    expect(Math.min(seen.reused, seen.exact, seen.cold)).toBeGreaterThan(10);
  });
});
