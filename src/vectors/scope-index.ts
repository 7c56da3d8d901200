// The neighbours of one scope: from a graph when there are many vectors and the graph has (almost) all of them,
// by comparison with every vector otherwise. Whatever finds them, the table says whether they are still here and
// how similar they are, so the caller cannot tell.
import { bruteForce } from './brute-force.ts';
import type { Graphs, GraphUser } from './graphs/graphs.ts';
import type { SentGraph } from './graphs/sent-graph.ts';
import { within } from './within.ts';
import type { Products } from './products.ts';
import { Query } from './query.ts';
import type { Neighbour } from './top-neighbours.ts';
import type { Turns } from './turns.ts';
import { unitVector } from './unit-vector.ts';
import { strideOf, VectorTable } from './vector-table.ts';

export interface VectorIndex {
  /** Vectors. */
  readonly size: number;
  /** Memory here and, estimated, in the graph process. */
  readonly bytes: number;
  /** Vectors that the graph does not have yet: compared one by one until then. 0 where none is needed. */
  readonly lag: number;
  /**
   * vector: [dimension], any length but 0. A fresh label, 0 … 2^32 - 2, never given twice by this index.
   * Throws RangeError on another dimension, NaN, infinity and the zero vector.
   */
  add(vector: Float32Array): number;
  /** False when the label is not stored. */
  remove(label: number): boolean;
  /** A copy of a stored unit vector, [dimension], in `into` where that is given; null when the label is not stored. */
  vectorOf(label: number, into?: Float32Array): Float32Array | null;
  /** Cosine of a stored vector and a query; throws RangeError when the label is not stored. */
  similarity(label: number, query: Float32Array): number;
  /**
   * Up to k nearest neighbours, best first, of equal ones the newest. Where no graph answers all are compared, as far as
   * `budgetMs` allows (3 ms are enough for the largest scope that has no graph): then the best found by then.
   * Rejects with RangeError for a query that `add` would refuse, and for nothing else.
   */
  search(query: Float32Array, k: number, budgetMs?: number): Promise<readonly Neighbour[]>;
  /** `search` for each of them, in one pass over the vectors. */
  searchAll(
    queries: readonly Float32Array[],
    k: number,
    budgetMs?: number,
  ): Promise<readonly (readonly Neighbour[])[]>;
  /** Frees everything; nothing is found any more, and `add` throws. */
  close(): void;
}

export interface ScopeIndexOptions {
  readonly dimension: number;
  readonly bruteForceLimit: number;
  /** Shared by all scopes; null = compare in JavaScript. */
  readonly products: Products | null;
  readonly graphs: Graphs;
  readonly turns: Turns;
}

interface Search {
  readonly table: VectorTable;
  readonly queries: readonly Query[];
  /** In the time of performance.now(). */
  readonly deadline: number;
}

const DEFAULT_BUDGET_MS = 20;
/** Vectors that a search compares beside the graph because the graph may not have them yet: 0.2 ms. */
const TAIL = 512;
/** Of what the graph finds, a few may be gone by now. */
const SPARE = 8;
/** Part of the budget after which the graph is taken for slow and comparison begins. */
const PATIENCE = 0.8;

export class ScopeIndex implements VectorIndex, GraphUser {
  readonly #options: ScopeIndexOptions;
  #table: VectorTable;
  #graph: SentGraph | null = null;
  /** Will replace a worn graph. */
  #successor: SentGraph | null = null;
  #isClosed = false;

  constructor(options: ScopeIndexOptions) {
    this.#options = options;
    this.#table = new VectorTable(options.dimension, options.products);
    options.graphs.users.add(this);
  }

  get size(): number {
    return this.#table.size;
  }

  get bytes(): number {
    return this.#generations().reduce((sum, graph) => sum + graph.bytes, this.#table.bytes);
  }

  get lag(): number {
    if (this.#graph) return this.#graph.lag;
    return this.size > this.#options.bruteForceLimit ? this.size : 0;
  }

  add(vector: Float32Array): number {
    if (this.#isClosed) throw new Error('This index is closed.');
    const label = this.#table.add(unitVector(vector, this.#options.dimension));
    for (const graph of this.#generations()) this.#options.graphs.feed(graph);
    this.#tend();
    return label;
  }

  remove(label: number): boolean {
    if (!this.#table.remove(label)) return false;
    for (const graph of this.#generations()) this.#options.graphs.remove(graph, label);
    this.#tend();
    return true;
  }

  vectorOf(
    label: number,
    into: Float32Array = new Float32Array(this.#options.dimension),
  ): Float32Array | null {
    if (!this.#table.has(label)) return null;
    this.#table.read(label, into);
    return into;
  }

  similarity(label: number, query: Float32Array): number {
    if (!this.#table.has(label)) throw new RangeError('No vector has this label.');
    return this.#table.similarity(label, unitVector(query, this.#options.dimension));
  }

  async search(query: Float32Array, k: number, budgetMs?: number): Promise<readonly Neighbour[]> {
    const [found] = await this.searchAll([query], k, budgetMs);
    return found!;
  }

  async searchAll(
    vectors: readonly Float32Array[],
    k: number,
    budgetMs = DEFAULT_BUDGET_MS,
  ): Promise<readonly (readonly Neighbour[])[]> {
    const { dimension } = this.#options;
    const units = vectors.map((vector) => unitVector(vector, dimension));
    const wanted = Math.floor(Math.min(k, this.size));
    if (units.length === 0 || !(wanted > 0)) return units.map(() => []);
    const queries = units.map((unit) => new Query(unit, strideOf(dimension), wanted + SPARE));
    const search = { table: this.#table, queries, deadline: performance.now() + budgetMs };
    if (!(await this.#askGraph(search, wanted + SPARE))) await this.#compare(search);
    let found = queries.map((query) => this.#live(query));
    if (found.some(({ length }) => length < Math.min(wanted, this.size))) {
      // Nearly all that was found has been removed meanwhile.
      await this.#compare(search);
      found = queries.map((query) => this.#live(query));
    }
    return found.map((neighbours) => neighbours.slice(0, wanted));
  }

  close(): void {
    this.#isClosed = true;
    this.#dropGraphs();
    this.#options.graphs.users.delete(this);
    this.#table = new VectorTable(this.#options.dimension, null);
  }

  onGraphsUp(): void {
    this.#tend();
  }

  onGraphsDown(): void {
    this.#graph = null;
    this.#successor = null;
  }

  /** False when no graph can answer. */
  async #askGraph(search: Search, k: number): Promise<boolean> {
    const graph = this.#graph;
    if (!graph || graph.lag > TAIL) return false;
    const { table, queries } = search;
    const known = graph.confirmedUpTo;
    let labels: readonly Uint32Array[] | null | undefined;
    const units = queries.map(({ unit }) => unit);
    const answer = graph.ask(units, k).then((found) => void (labels = found));
    await within(answer, PATIENCE * (search.deadline - performance.now()));
    if (labels === undefined) await this.#compare(search, () => labels !== undefined);
    if (labels === null) return false;
    const unsure = table.take(known, 2 * TAIL).labels;
    for (const [at, { unit, top }] of queries.entries()) {
      for (const label of [...(labels?.[at] ?? []), ...unsure]) {
        if (table.has(label)) top.offer(label, table.similarity(label, unit));
      }
    }
    return true;
  }

  async #compare(search: Search, isSettled = (): boolean => false): Promise<void> {
    await bruteForce({ ...search, isSettled }, this.#options.turns);
  }

  #live({ top }: Query): readonly Neighbour[] {
    return top.list((label) => this.#table.has(label));
  }

  /** Opens, replaces or drops the graph as the scope grows, changes and shrinks. */
  #tend(): void {
    const { graphs, bruteForceLimit } = this.#options;
    if (!this.#graph) {
      if (this.size > bruteForceLimit) this.#graph = graphs.open(this.#table, () => undefined);
    } else if (this.size <= bruteForceLimit / 2) {
      this.#dropGraphs();
    } else if (this.#graph.isWorn) {
      this.#successor ??= graphs.open(this.#table, () => this.#replaceWorn());
    }
  }

  #replaceWorn(): void {
    if (!this.#successor || this.#successor.lag > TAIL) return;
    if (this.#graph) this.#options.graphs.drop(this.#graph);
    this.#graph = this.#successor;
    this.#successor = null;
  }

  #dropGraphs(): void {
    for (const graph of this.#generations()) this.#options.graphs.drop(graph);
    this.#graph = null;
    this.#successor = null;
  }

  #generations(): SentGraph[] {
    return [this.#graph, this.#successor].filter((graph) => graph !== null);
  }
}
