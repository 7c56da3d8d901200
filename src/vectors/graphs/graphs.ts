// All graphs of all scopes, and the only sender of vectors: however many scopes are being filled, two messages of
// vectors are on their way, so that a search never waits behind a mountain.
import { GraphLink } from './graph-link.ts';
import { BUILD_WIDTH, LINKS, SEARCH_WIDTH } from './graph-parameters.ts';
import { SentGraph } from './sent-graph.ts';
import type { VectorTable } from '../vector-table.ts';

/** Messages of vectors that are not confirmed: one is worked on while the next one travels. */
const WINDOW = 2;

export interface GraphsOptions {
  readonly dimension: number;
  readonly library: string;
  readonly restartMs: number;
  readonly stallMs: number;
  readonly onChildLost: (why: string) => void;
}

/** A scope that has graphs, or would have some. */
export interface GraphUser {
  onGraphsUp(): void;
  onGraphsDown(): void;
}

export class Graphs {
  readonly users = new Set<GraphUser>();
  readonly #link: GraphLink;
  readonly #graphs = new Map<number, SentGraph>();
  /** Graphs that wait for their turn to send vectors. */
  readonly #hungry = new Set<SentGraph>();
  readonly #withRemovals = new Set<SentGraph>();
  #isAwake = false;

  constructor({ dimension, library, restartMs, stallMs, onChildLost }: GraphsOptions) {
    this.#link = new GraphLink({
      settings: {
        dimension,
        library,
        links: LINKS,
        buildWidth: BUILD_WIDTH,
        searchWidth: SEARCH_WIDTH,
      },
      restartMs,
      stallMs,
      owner: {
        onUp: () => this.#announce((user) => user.onGraphsUp()),
        onDown: (why) => {
          this.#forgetAll();
          onChildLost(why);
        },
        onAdded: (id, upTo) => {
          this.#graphs.get(id)?.confirm(upTo);
          this.#pump();
        },
      },
    });
  }

  get pid(): number | undefined {
    return this.#link.pid;
  }

  /** Null while there is no process; `onGraphsUp` will tell. */
  open(table: VectorTable, onConfirmed: () => void): SentGraph | null {
    this.#link.need();
    if (!this.#link.isUp) return null;
    const graph = new SentGraph(this.#link, table, onConfirmed);
    this.#graphs.set(graph.id, graph);
    this.feed(graph);
    return graph;
  }

  /** Its table has new vectors. */
  feed(graph: SentGraph): void {
    this.#hungry.add(graph);
    this.#wake();
  }

  remove(graph: SentGraph, label: number): void {
    graph.remove(label);
    this.#withRemovals.add(graph);
    this.#wake();
  }

  drop(graph: SentGraph): void {
    if (this.#graphs.delete(graph.id)) graph.drop();
    this.#hungry.delete(graph);
    this.#withRemovals.delete(graph);
  }

  close(): Promise<void> {
    this.#forgetAll();
    return this.#link.close();
  }

  #forgetAll(): void {
    this.#graphs.clear();
    this.#hungry.clear();
    this.#withRemovals.clear();
    this.#announce((user) => user.onGraphsDown());
  }

  #announce(tell: (user: GraphUser) => void): void {
    for (const user of this.users) tell(user);
  }

  /** What is added or removed together travels together. */
  #wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    setImmediate(() => {
      this.#isAwake = false;
      for (const graph of this.#withRemovals) graph.sendRemovals();
      this.#withRemovals.clear();
      this.#pump();
    });
  }

  #pump(): void {
    for (const graph of this.#hungry) {
      if (this.#link.unconfirmed >= WINDOW) return;
      this.#hungry.delete(graph);
      if (!graph.hasVectorsToSend) continue;
      graph.sendVectors();
      // To the end of the line, which this loop sees again.
      this.#hungry.add(graph);
    }
  }
}
