// The routes in force. They can be replaced while requests are served: a request keeps what it started with.
import type { RouteReuse } from './read-reuse.ts';
import { GENERAL_ROUTE } from './route-names.ts';
import { matches, type Route, type RouteFacts } from './route.ts';

export interface RouteSettings {
  readonly reuse: RouteReuse;
  readonly routes: readonly Route[];
  /** Of requests that no route matches. */
  readonly inspect?: Route['inspect'];
}

export class RouteTable {
  #settings: RouteSettings;

  constructor(settings: RouteSettings) {
    this.#settings = settings;
  }

  /** The first route that matches; without one, the general settings. */
  find(facts: RouteFacts): Route {
    return this.#settings.routes.find((route) => matches(route, facts)) ?? this.#general;
  }

  /** All of them, the general settings last. */
  get all(): readonly Route[] {
    return [...this.#settings.routes, this.#general];
  }

  get settings(): RouteSettings {
    return this.#settings;
  }

  get names(): string[] {
    return this.all.map(({ name }) => name);
  }

  replace(settings: RouteSettings): void {
    this.#settings = settings;
  }

  get #general(): Route {
    const { reuse, inspect } = this.#settings;
    return { name: GENERAL_ROUTE, match: {}, reuse, ...(inspect && { inspect }) };
  }
}
