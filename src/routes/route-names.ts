// Names of routes: guard, metrics, audit and the admin API tell routes apart by them, so no two may have the same one.

/** The general settings, for whatever no route matches. */
export const GENERAL_ROUTE = 'default';

/** A route without a name is called by its place. */
export const routeName = (name: string | undefined, at: number): string =>
  name ?? `route-${at + 1}`;

/** What is wrong, with its place; null = nothing. */
export function findNameError(routes: readonly { readonly name?: string }[]): string | null {
  const seen = new Map<string, number>();
  for (const [at, { name: given }] of routes.entries()) {
    const name = routeName(given, at);
    const place = `routes[${at}].name`;
    if (name === GENERAL_ROUTE) {
      return `${place} must not be "${name}": that is what requests without a route are counted as.`;
    }
    const first = seen.get(name);
    if (first !== undefined) return `${place} is "${name}", and so is routes[${first}].name.`;
    seen.set(name, at);
  }
  return null;
}
