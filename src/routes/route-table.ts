// The routes in force. They can be replaced while requests are served: a request keeps what it started with.
import type { RouteReuse } from './read-reuse.ts';
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

  /** The first route that matches; without one, the general settings under the name `default`. */
  find(facts: RouteFacts): Route {
    const found = this.#settings.routes.find((route) => matches(route, facts));
    const { reuse, inspect } = this.#settings;
    return found ?? { name: 'default', match: {}, reuse, ...(inspect && { inspect }) };
  }

  get settings(): RouteSettings {
    return this.#settings;
  }

  get names(): string[] {
    return [...this.#settings.routes.map(({ name }) => name), 'default'];
  }

  replace(settings: RouteSettings): void {
    this.#settings = settings;
  }
}
