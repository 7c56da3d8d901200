import { describe, expect, it } from '@jest/globals';
import { paretoPoints } from '../../../src/bench/quality/pareto.ts';
import { paretoSvg } from '../../../src/bench/quality/pareto-svg.ts';
import { formatQuality, qualityMarkdown } from '../../../src/bench/quality/quality-table.ts';
import { reportQuality } from '../../../src/bench/quality/quality.ts';
import { summarise } from '../../../src/bench/quality/summarise.ts';
import { measureOf } from '../../support/quality-measures.ts';

describe('a summary', () => {
  it('has means over the cases that count, and beside them over all', () => {
    const summary = summarise([
      measureOf({ kl32: 0.02, chargedRecompute: 0.3 }),
      measureOf({ kl32: 0.04, chargedRecompute: 0.5, top1: 0 }),
      measureOf({ counted: false, reason: 'no-donor', kl32: 0, chargedRecompute: 1 }),
    ]);
    expect(summary).toMatchObject({ n: 2, total: 3, fellBack: 1, top1: 0.5 });
    expect(summary.kl32).toBeCloseTo(0.03, 12);
    expect(summary.everyCase.kl32).toBeCloseTo(0.02, 12);
    expect(summary.everyCase.chargedRecompute).toBeCloseTo(0.6, 12);
    expect(summary.reasons).toEqual({ full: 2, 'no-donor': 1 });
    expect(summary.marginRecovery).toBeUndefined();
  });

  it('has no means when nothing counts', () => {
    const summary = summarise([measureOf({ counted: false })]);
    expect(summary).toMatchObject({ n: 0, kl32: null, top1: null });
    expect(summary.everyCase.kl32).toBe(0.02);
  });

  it('recovers margins where full prefill and the stale donor differ clearly', () => {
    const summary = summarise([
      // (0.5 - -1) / (2 - -1) = 0.5
      measureOf({ margin: { full: 2, stale: -1, policy: 0.5 } }),
      // 1
      measureOf({ margin: { full: 1, stale: -1, policy: 1 } }),
      // Full prefill does not get it right: not part of the mean, but of the flips.
      measureOf({ margin: { full: 0.1, stale: -1, policy: -0.5 } }),
      // The stale donor says the same.
      measureOf({ margin: { full: 1, stale: 0.5, policy: 0 } }),
    ]);
    expect(summary.marginRecovery).toBeCloseTo(0.75, 12);
    expect(summary).toMatchObject({ marginCases: 2, flip: 0.5, flipFull: 1 });
  });

  it('pairs references by case', () => {
    const pair = (full: number, policy: number) => ({ full, policy });
    const reference = (full: number, policy: number) => ({
      logProb: pair(full, policy),
      rougeL: pair(0.5, 0.25),
      bleu: pair(0.2, 0.2),
    });
    const { referenceLogProb, referenceRougeL } = summarise([
      measureOf({ reference: reference(-1, -1.5) }),
      measureOf({ reference: reference(-3, -3.5) }),
    ]);
    expect(referenceLogProb).toEqual({
      full: -2,
      policy: -2.5,
      difference: -0.5,
      interval: [-0.5, -0.5],
    });
    expect(referenceRougeL!.difference).toBe(-0.25);
  });
});

it('leaves out of the front what another beats in one without being worse in the other', () => {
  const point = (policy: string, chargedRecompute: number, kl32: number) => ({
    ...{ policy, chargedRecompute, kl32 },
  });
  const points = paretoPoints([
    point('full', 1, 0),
    point('good', 0.3, 0.01),
    point('cheap', 0.1, 0.1),
    point('bad', 0.4, 0.02),
    point('same-cost', 0.3, 0.02),
  ]);
  const front = points.filter(({ onFront }) => onFront).map(({ policy }) => policy);
  expect(front).toEqual(['full', 'good', 'cheap']);
});

describe('a report', () => {
  const pair = { full: -1, policy: -1.2 };
  const reference = { logProb: pair, rougeL: pair, bleu: pair };
  const measures = [
    measureOf({ id: 'a-0', reference }),
    measureOf({ id: 'a-1', kl32: 0.04, reference }),
    measureOf({ id: 'a-0', policy: 'naive', kl32: 0.2, chargedRecompute: 0.1 }),
    measureOf({ id: 'a-1', policy: 'naive', kl32: 0.3, chargedRecompute: 0.1 }),
    measureOf({ id: 'a-0', policy: 'off', counted: false, kl32: 0, chargedRecompute: 1 }),
    measureOf({ id: 'a-1', policy: 'off', counted: false, kl32: 0, chargedRecompute: 1 }),
  ];
  const report = reportQuality('m', ['off', 'edit-closure', 'naive'], measures);

  it('has every policy by family, and pairs them with the first that reuses', () => {
    expect(report.policies['edit-closure']!.families['a']).toMatchObject({ n: 2, total: 2 });
    expect(report.policies['off']!.overall).toMatchObject({ n: 0, fellBack: 2 });
    const naive = report.comparisons.find(({ policy }) => policy === 'naive')!;
    expect(naive).toMatchObject({ than: 'edit-closure', interval: expect.anything() });
    expect(naive.kl32).toBeCloseTo((0.18 + 0.26) / 2, 12);
    expect(naive.chargedRecompute).toBeCloseTo(-0.2, 12);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('reads as a table and as a page that says whether the claim holds', () => {
    const table = formatQuality(report).split('\n');
    expect(table.find((line) => line.startsWith('edit-closure  a'))).toMatch(/2 of 2 +0\.30/);
    const page = qualityMarkdown(report, 'q.svg');
    expect(page).toContain('![KL over charged recompute](q.svg)');
    expect(page).toContain('| edit-closure | -0.2000 [-0.2000, -0.2000] | ');
    expect(page).toContain('does not hold');
    expect(page).toMatch(/\| naive .*too few cases/);
  });

  it('is drawn with every policy, the cheap and inexact one on the left and on top', () => {
    const svg = paretoSvg([{ ...report.pareto[0]!, policy: 'a<b' }, ...report.pareto]);
    expect(svg).toContain('a&#60;b');
    expect(svg.match(/<circle/g)).toHaveLength(4);
    const at = (policy: string) => {
      const [, x, y] = new RegExp(`<text x="([\\d.]+)" y="([\\d.]+)">${policy}<`).exec(svg)!;
      return [Number(x), Number(y)] as const;
    };
    expect(at('naive')[0]).toBeLessThan(at('edit-closure')[0]);
    expect(at('naive')[1]).toBeLessThan(at('edit-closure')[1]);
    expect(at('edit-closure')[1]).toBeLessThan(at('off')[1]);
  });
});
