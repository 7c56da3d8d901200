// Settings as a name. KV that was put together by the same settings is what they would put together again, so a prompt may
// go on from it where it begins with the same tokens: nothing is moved, no error is added. By other settings, a laxer
// route's or a published policy's, it may be worse than what this prompt was promised.
import type { ReuseOptions } from './options.ts';

/** Their values in the order of their names. */
export function recipeOf(options: ReuseOptions): string {
  const settings = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(settings.map(([, value]: [string, unknown]) => value));
}
