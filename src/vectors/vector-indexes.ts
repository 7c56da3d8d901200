// All scopes of a process: an index each, one graph process for those that outgrow brute force.
import { Graphs } from './graphs/graphs.ts';
import type { Products } from './products.ts';
import { ScopeIndex, type VectorIndex } from './scope-index.ts';
import { Turns } from './turns.ts';
import { openScanner } from './vector-table.ts';

/**
 * Numbers of one scope that are compared one by one: 62,500 vectors of 128. Six passages take 3 ms then, as a graph
 * does, which needs a process of its own and ten times the memory, and overlooks some.
 */
const COMPARED_NUMBERS = 8_000_000;
/** Where WebAssembly has no vector instructions: 2.4 ms, too. */
const COMPARED_BY_LOOP = 192_000;

export interface VectorIndexesOptions {
  readonly dimension: number;
  readonly bruteForceLimit?: number;
  /** The graph process is gone (it comes back), or cannot work on this machine (said once): searches go on. */
  readonly onChildLost?: (why: string) => void;
  /** The package with the graphs; another name in tests. */
  readonly library?: string;
  /** Pause before the graph process is started again; doubled, up to 64 times that, while it keeps dying. */
  readonly restartMs?: number;
  /** A graph process that owes an answer and is silent for this long is killed. */
  readonly stallMs?: number;
}

export class VectorIndexes {
  readonly #graphs: Graphs;
  readonly #turns = new Turns();
  readonly #dimension: number;
  readonly #bruteForceLimit: number;
  readonly #products: Products | null;

  constructor(options: VectorIndexesOptions) {
    this.#dimension = options.dimension;
    this.#products = openScanner(options.dimension);
    const compared = this.#products ? COMPARED_NUMBERS : COMPARED_BY_LOOP;
    this.#bruteForceLimit = options.bruteForceLimit ?? Math.floor(compared / options.dimension);
    this.#graphs = new Graphs({
      dimension: options.dimension,
      library: options.library ?? 'hnswlib-node',
      restartMs: options.restartMs ?? 200,
      stallMs: options.stallMs ?? 10_000,
      onChildLost: options.onChildLost ?? (() => undefined),
    });
  }

  /** Of the graph process, while there is one. */
  get childPid(): number | undefined {
    return this.#graphs.pid;
  }

  /** A new, empty scope. */
  open(): VectorIndex {
    return new ScopeIndex({
      dimension: this.#dimension,
      bruteForceLimit: this.#bruteForceLimit,
      products: this.#products,
      graphs: this.#graphs,
      turns: this.#turns,
    });
  }

  /** Resolves when the graph process is gone. Open indexes go on by brute force. */
  close(): Promise<void> {
    return this.#graphs.close();
  }
}
