import { expect, it } from '@jest/globals';
import { defaultReuseOptions as defaults, optionsOf, recipeOf } from '../../src/reuse/index.ts';

it('names settings, in whatever order they stand', () => {
  const backwards = Object.fromEntries(Object.entries(defaults).reverse()) as typeof defaults;
  expect(recipeOf(backwards)).toBe(recipeOf(defaults));
  const others = [
    { ...defaults, seam: 17 },
    { ...defaults, closure: { ...defaults.closure, max: 65 } },
    { ...defaults, strict: true },
    optionsOf('placeholder'),
    optionsOf('semantic'),
  ];
  expect(new Set([defaults, ...others].map(recipeOf)).size).toBe(1 + others.length);
});
