// Settings that are each in range and do not go together: a bound above its limit would be ignored without a word.
// Judged on what is in force, with what a route inherits; the schema sees one value at a time.
import type { ReuseOptions } from '../reuse/index.ts';
import { defaultReuse, readReuse, type ReuseSettings } from './read-reuse.ts';

interface Document {
  readonly reuse?: ReuseSettings;
  readonly routes?: readonly { readonly reuse: ReuseSettings }[];
}

/** What is wrong, with its place below `reuse`; null = nothing. */
function conflictIn({
  policy,
  closure,
  topUp,
  fullLayers,
  decodeRefresh,
}: ReuseOptions): string | null {
  if (closure.min > closure.max) {
    return `closure.min is ${closure.min}, more than closure.max, which is ${closure.max}.`;
  }
  if (topUp && topUp.keep > topUp.window) {
    return `topUp.keep is ${topUp.keep}, more than topUp.window, which is ${topUp.window}.`;
  }
  if (decodeRefresh > 0 && !topUp) {
    return `decodeRefresh is ${decodeRefresh} and needs topUp, whose selector says what is refreshed.`;
  }
  if (policy === 'semantic' && fullLayers === 0) {
    return 'fullLayers must be 1 or more under policy semantic.';
  }
  return null;
}

/** Of a document that the schema lets through. */
export function findReuseError({ reuse = {}, routes = [] }: Document): string | null {
  const general = readReuse(reuse, defaultReuse);
  const ofRoutes = routes.map(({ reuse: own }, at) => {
    return [`routes[${at}].reuse`, readReuse(own, general).options] as const;
  });
  for (const [place, options] of [['reuse', general.options] as const, ...ofRoutes]) {
    const wrong = conflictIn(options);
    if (wrong !== null) return `${place}.${wrong}`;
  }
  return null;
}
