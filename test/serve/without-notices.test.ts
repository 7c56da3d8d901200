// Two lines of TensorFlow's library are left out of what a child writes on stderr; every other byte comes, at once.
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { WithoutNotices } from '../../src/serve/without-notices.ts';

const warning =
  'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n';
const oneDnn =
  'I0000 00:00:1795689572.777290   20979 port.cc:153] oneDNN custom operations are on. You may see slightly ' +
  'different numerical results due to floating-point round-off errors from different computation orders. To turn ' +
  'them off, set the environment variable `TF_ENABLE_ONEDNN_OPTS=0`.\n';

/** Told in these pieces, what is passed on after each, and at the end. */
function told(pieces: readonly Uint8Array[]): { after: string[]; all: Buffer } {
  const filter = new WithoutNotices();
  const passed: Buffer[] = [];
  const after = pieces.map((piece) => {
    passed.push(filter.pass(Buffer.from(piece)));
    return Buffer.concat(passed).toString();
  });
  return { after, all: Buffer.concat([...passed, filter.rest()]) };
}

const others = [
  'kvshare runner on http://127.0.0.1:1 (tiny, cpu: übung)\n',
  '{"level":50,"msg":"a request failed in the engine"}\n',
  '\n',
  '\rmodel 12 of 98 MiB',
  'WARNING: All log messages are lost\n',
  ` ${warning}`,
  'I0000 00:00:1795689572.834453   20979 cpu_feature_guard.cc:227] This TensorFlow binary is optimized\n',
  'E0000 00:00:1795689572.834453   20979 port.cc:153] oneDNN custom operations are on. And on fire.\n',
  `${oneDnn.trim()} no end`,
  'Segmentation fault',
];

it('however it is cut, the two lines are missing and nothing else is', () => {
  const line = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(warning, oneDnn) },
    { weight: 2, arbitrary: fc.constantFrom(...others) },
    { weight: 1, arbitrary: fc.string().map((text) => `x${text}`) },
  );
  const cuts = fc.array(fc.nat(1_000), { maxLength: 20 });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), cuts, (lines, places) => {
      const bytes = Buffer.from(lines.join(''));
      const ends = [...new Set([...places, bytes.length])].sort((a, b) => a - b);
      const pieces = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
      const wanted = bytes
        .toString()
        .split(/(?<=\n)/)
        .filter((whole) => whole !== warning && whole !== oneDnn)
        .join('');
      expect(told(pieces).all.toString()).toBe(wanted);
    }),
    { numRuns: 500 },
  );
});

it('passes on what has no end yet, unless it may be one of the two', () => {
  const pieces = ['\rmodel', ' 12', ' of 98\n', 'I', '0000 00:00:', '1 x\n', 'WARNING: A', 'b'];
  expect(told(pieces.map((piece) => Buffer.from(piece))).after).toEqual([
    '\rmodel',
    '\rmodel 12',
    '\rmodel 12 of 98\n',
    '\rmodel 12 of 98\n',
    '\rmodel 12 of 98\n',
    '\rmodel 12 of 98\nI0000 00:00:1 x\n',
    '\rmodel 12 of 98\nI0000 00:00:1 x\n',
    '\rmodel 12 of 98\nI0000 00:00:1 x\nWARNING: Ab',
  ]);
});

it('keeps bytes that are no text', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  expect([...told([bytes.subarray(0, 200), bytes.subarray(200)]).all]).toEqual([...bytes]);
});
