// What nobody holds any more is given back at once, not when V8 thinks that it is time.
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { collectGarbage } from '../../src/runner/collect-garbage.ts';

it('gives back what is held by nobody, and nothing else', async () => {
  const held = new Float32Array(2 ** 20);
  const kept = new WeakRef(held);
  const dropped = new WeakRef(new Float32Array(2 ** 20));
  // What was just made is held until the end of this turn.
  await turn();
  collectGarbage();
  expect(dropped.deref()).toBeUndefined();
  expect(kept.deref()).toBe(held);
});
