// Settings as a name. KV that was put together by the same settings is what they would put together again, so a prompt may
// go on from it where it begins with the same tokens: nothing is moved, no error is added. By other settings, a laxer
// route's or a published policy's, it may be worse than what this prompt was promised.
import type { ReusePlan } from '../protocol/index.ts';
import type { ReuseOptions } from './options.ts';
import type { PlanInput } from './plan-input.ts';

/** A route's settings are asked for with each of its requests. */
const known = new WeakMap<ReuseOptions, string>();

/** Their values in the order of their names. */
export function recipeOf(options: ReuseOptions): string {
  const before = known.get(options);
  if (before !== undefined) return before;
  const settings = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  const recipe = JSON.stringify(settings.map(([, value]: [string, unknown]) => value));
  known.set(options, recipe);
  return recipe;
}

/** What there is to know of a prompt that this plan put together. */
export interface PutTogether {
  readonly recipe: string | null;
  readonly importedTo: number;
}

/** `served`: the settings that the plan was made with. A user's own conversation may stand on other ones: then none is the prompt's. */
export function putTogether(
  plan: ReusePlan | null,
  served: ReuseOptions,
  input: Pick<PlanInput, 'candidates'> | null,
): PutTogether {
  const imports = plan?.imports ?? [];
  const importedTo = Math.max(0, ...imports.map((entry) => entry.targetStart + entry.length));
  const recipe = recipeOf(served);
  const own = input?.candidates.continuation?.donor;
  const standsOnOwn = imports.some(
    ({ segment, donorStart, length }) =>
      segment === own?.segment && donorStart + length > own.exactTokens,
  );
  return { recipe: standsOnOwn && own?.recipe !== recipe ? null : recipe, importedTo };
}
