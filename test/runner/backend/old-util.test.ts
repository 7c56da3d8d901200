import { createRequire } from 'node:module';
import { expect, it } from '@jest/globals';
import { restoreOldUtil } from '../../../src/runner/backend/old-util.ts';

interface Util {
  isNullOrUndefined?: (value: unknown) => boolean;
  isArray: (value: unknown) => boolean;
}

it('what Node took out of node:util and tfjs-node calls is there again, what Node warns of is silent', () => {
  const isArray = (): boolean => {
    throw new Error('deprecated');
  };
  const library: Util = { isArray };
  restoreOldUtil(library);
  const asked = [null, undefined, 0, '', false, NaN];
  const answers = asked.map((value) => library.isNullOrUndefined?.(value));
  expect(answers).toEqual([true, true, false, false, false, false]);
  expect([library.isArray([]), library.isArray({ length: 0 })]).toEqual([true, false]);
});

it('as CommonJS packages see it', () => {
  restoreOldUtil();
  const util = createRequire(import.meta.url)('util') as Util;
  expect(typeof util.isNullOrUndefined).toBe('function');
  expect(typeof util.isArray).toBe('function');
});
