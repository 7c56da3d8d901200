import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sampleToken, seededRandom } from '../../../src/runner/engine/sampler.ts';

const logitsOf = (shares: readonly number[]): Float32Array => Float32Array.from(shares, Math.log);

/** How often each token is drawn. */
function draw(logits: Float32Array, temperature: number, topP: number, count: number): number[] {
  const random = seededRandom(7);
  const counts = Array.from(logits, () => 0);
  for (let i = 0; i < count; i++) counts[sampleToken(logits, { temperature, topP }, random)]!++;
  return counts.map((n) => n / count);
}

describe('a sampled token', () => {
  const shares = [0.05, 0.5, 0.15, 0.3];

  it('is the most likely one without temperature', () => {
    expect(draw(logitsOf(shares), 0, 1, 5)).toEqual([0, 1, 0, 0]);
  });

  it('comes as often as the softmax says', () => {
    draw(logitsOf(shares), 1, 1, 20_000).forEach((share, id) => {
      // Five standard deviations of the widest.
      expect(Math.abs(share - shares[id]!)).toBeLessThan(0.018);
    });
    // At temperature .5 shares are squared: .0025, .25, .0225, .09 of .365.
    expect(draw(logitsOf(shares), 0.5, 1, 20_000)[1]!).toBeCloseTo(0.685, 1);
  });

  it('is one of the fewest that hold topP together, in their proportion', () => {
    const [rare, first, other, second] = draw(logitsOf(shares), 1, 0.75, 20_000);
    expect([rare, other]).toEqual([0, 0]);
    expect(first!).toBeCloseTo(0.625, 1);
    expect(second!).toBeCloseTo(0.375, 1);
    expect(draw(logitsOf(shares), 1, 0.5, 5)).toEqual([0, 1, 0, 0]);
  });

  it('has the same nucleus however many tokens are hardly possible', () => {
    const flat = fc.array(fc.integer({ min: -48, max: 0 }), { minLength: 1 });
    const share = fc.double({ min: 0.01, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(flat, share, (values, topP) => {
        const logits = Float32Array.from(values, (value) => value / 4);
        const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b);
        const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
        let sum = 0;
        const cut = order.findIndex((id) => (sum += Math.exp(logits[id]!)) >= topP * total - 1e-9);
        const nucleus = new Set(order.slice(0, cut + 2));
        const random = seededRandom(3);
        for (let i = 0; i < 50; i++) {
          expect(nucleus.has(sampleToken(logits, { temperature: 1, topP }, random))).toBe(true);
        }
      }),
    );
  });
});
