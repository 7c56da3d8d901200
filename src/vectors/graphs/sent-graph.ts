// One graph in the graph process, seen from here. Labels only grow and are sent in order, so two numbers say what
// the graph has: the label up to which everything was sent, and the one up to which everything is known to be in.
import { graphBytes } from './graph-parameters.ts';
import type { GraphLink } from './graph-link.ts';
import type { VectorTable } from '../vector-table.ts';

/** Numbers in one message of vectors: 16 KB, about 3 ms of work. Searches wait behind at most two of them. */
const BATCH = 4_096;

export class SentGraph {
  readonly id: number;
  readonly #link: GraphLink;
  readonly #table: VectorTable;
  readonly #onConfirmed: () => void;
  #sentUpTo = 0;
  #confirmedUpTo = 0;
  #points = 0;
  #deleted = 0;
  #removals: number[] = [];

  constructor(link: GraphLink, table: VectorTable, onConfirmed: () => void) {
    this.id = link.freshId();
    this.#link = link;
    this.#table = table;
    this.#onConfirmed = onConfirmed;
    link.send({ type: 'open', graph: this.id, capacity: Math.ceil(table.size * 1.25) + 64 });
  }

  /** Every live label below it is in the graph. */
  get confirmedUpTo(): number {
    return this.#confirmedUpTo;
  }

  /** At most this many vectors are not known to be in the graph. */
  get lag(): number {
    return this.#table.nextLabel - this.#confirmedUpTo;
  }

  /** Most of its points are gone and only slow it down. */
  get isWorn(): boolean {
    return this.#deleted > this.#points / 2;
  }

  get bytes(): number {
    return graphBytes(this.#points, this.#table.dimension);
  }

  get hasVectorsToSend(): boolean {
    return this.#sentUpTo < this.#table.nextLabel;
  }

  remove(label: number): void {
    if (label >= this.#sentUpTo) return;
    this.#removals.push(label);
    this.#deleted++;
  }

  confirm(upTo: number): void {
    this.#confirmedUpTo = upTo;
    this.#onConfirmed();
  }

  sendRemovals(): void {
    if (this.#removals.length === 0) return;
    const labels = Uint32Array.from(this.#removals);
    this.#link.send({ type: 'remove', graph: this.id, labels });
    this.#removals = [];
  }

  sendVectors(): void {
    const { dimension } = this.#table;
    const count = Math.max(1, Math.floor(BATCH / dimension));
    const { labels, next } = this.#table.take(this.#sentUpTo, count);
    const vectors = new Float32Array(labels.length * dimension);
    labels.forEach((label, i) => {
      this.#table.read(label, vectors.subarray(i * dimension, (i + 1) * dimension));
    });
    this.#sentUpTo = next;
    this.#points += labels.length;
    const add = { type: 'add', graph: this.id, upTo: next, vectors } as const;
    this.#link.send({ ...add, labels: Uint32Array.from(labels) });
  }

  /** For each query labels, best first, some of which may be gone; null when no answer will come. */
  ask(queries: readonly Float32Array[], k: number): Promise<readonly Uint32Array[] | null> {
    return this.#link.ask(this.id, queries, k);
  }

  drop(): void {
    this.#link.send({ type: 'drop', graph: this.id });
  }
}
