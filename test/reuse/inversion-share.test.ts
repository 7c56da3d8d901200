import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { inversionShare } from '../../src/reuse/inversion-share.ts';
import { donorOf } from '../support/brute-force.ts';

const donors = [donorOf('a', [1]), donorOf('b', [1])];
const pieces = fc
  .array(
    fc.record({
      donor: fc.constantFrom(...donors),
      donorStart: fc.nat(60),
      length: fc.integer({ min: 1, max: 25 }),
    }),
    { maxLength: 6 },
  )
  .map((parts) => {
    let targetStart = 0;
    return parts.map((part) => {
      const piece = { ...part, targetStart, exact: false };
      targetStart += part.length + 1;
      return piece;
    });
  });

it('equals the count over all pairs of tokens of one donor', () => {
  let inverted = 0;
  fc.assert(
    fc.property(pieces, (list) => {
      let [reversed, pairs] = [0, 0];
      for (const donor of donors) {
        const positions = list
          .filter((piece) => piece.donor === donor)
          .flatMap(({ donorStart, length }) => Array.from({ length }, (_, i) => donorStart + i));
        positions.forEach((position, i) => {
          for (const later of positions.slice(i + 1)) {
            pairs++;
            if (later < position) reversed++;
          }
        });
      }
      if (reversed > 0) inverted++;
      expect(inversionShare(list)).toBeCloseTo(pairs === 0 ? 0 : reversed / pairs, 12);
    }),
    { numRuns: 300 },
  );
  expect(inverted).toBeGreaterThan(50);
});
