// Which settings a request gets: the first route whose conditions all hold.
import { createHash, timingSafeEqual } from 'node:crypto';
import { fitsGlob } from './glob.ts';
import type { RouteReuse } from './read-reuse.ts';

/** Every condition that is given must hold; `*` stands for any characters. */
export interface RouteMatch {
  /** In whichever case: some servers know no difference, and no spelling may lead past a route. */
  readonly path?: string;
  readonly model?: string;
  readonly tenant?: string;
  /** API key, compared as a hash. */
  readonly key?: string;
  /** Lower-case header names. */
  readonly header?: Readonly<Record<string, string>>;
}

export interface Route {
  readonly name: string;
  readonly match: RouteMatch;
  readonly reuse: RouteReuse;
  /** `text`: an operator may read the prompts of this route. */
  readonly inspect?: 'text';
}

/** What of a request decides about its route. */
export interface RouteFacts {
  readonly path: string;
  readonly model: string;
  readonly tenant: string | null;
  readonly key: string | null;
  readonly header: (name: string) => string | undefined;
}

function fits(pattern: string | undefined, value: string | null | undefined): boolean {
  if (pattern === undefined) return true;
  return value !== null && value !== undefined && fitsGlob(pattern, value);
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

function isKey(expected: string | undefined, given: string | null): boolean {
  if (expected === undefined) return true;
  return given !== null && timingSafeEqual(digest(expected), digest(given));
}

export function matches({ match }: Route, facts: RouteFacts): boolean {
  const { path, model, tenant, key, header } = match;
  return (
    fits(path?.toLowerCase(), facts.path.toLowerCase()) &&
    fits(model, facts.model) &&
    fits(tenant, facts.tenant) &&
    isKey(key, facts.key) &&
    Object.entries(header ?? {}).every(([name, value]) => fits(value, facts.header(name)))
  );
}
