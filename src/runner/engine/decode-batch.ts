// The sequences that decode together and their latest keys. A sequence takes a free row and leaves it again
// between any two steps without a tensor being touched: what stands in a row before its sequence came is
// hidden from it. Only another number of rows costs a copy of the tail. Keys move from the shared tail to the
// sequence's own cache when they have become many, or when it leaves and somebody wants to keep them.
import type { Tensor2D, Tensor5D } from '@tensorflow/tfjs-core';
import { tailRow, type KvTail } from '../model/kv-tail.ts';
import type { Transformer } from '../model/transformer.ts';
import { sampleToken } from './sampler.ts';
import type { Sequence } from './sequence.ts';
import { numbersOf, type Work } from './work.ts';

/** From here on copying a row's keys once costs less than copying them at each step. */
const LONGEST_TAIL = 32;

interface Row {
  readonly sequence: Sequence;
  /** Its first own column of the tail. */
  start: number;
}

export class DecodeBatch {
  readonly #model: Transformer;
  /** Its length is what the model makes a step for. */
  #rows: (Row | null)[] = [];
  #tail: KvTail | null = null;

  constructor(model: Transformer) {
    this.#model = model;
  }

  /** Most sequences of one step. */
  get capacity(): number {
    return this.#model.decodeRows(Infinity);
  }

  get #columns(): number {
    return this.#tail?.k.shape[3] ?? 0;
  }

  /** Feeds the last generated token of each sequence and samples the next ones; at most `capacity`. */
  *step(sequences: readonly Sequence[]): Work<void> {
    this.#moveLongRows();
    this.#seat(sequences);
    const taken = this.#rows.map((row) => row?.sequence);
    const { logits, tail } = this.#model.decode({
      ids: Int32Array.from(taken, (sequence) => sequence?.generated.at(-1) ?? 0),
      positions: Int32Array.from(taken, (sequence) => sequence?.lastPosition ?? 0),
      bases: taken.map((sequence) => sequence?.live.joined(this.#model.tf) ?? null),
      tail: this.#tail,
      tailStarts: this.#rows.map((row) => row?.start ?? this.#columns),
    });
    const values = yield* this.#read(logits, tail);
    const width = values.length / this.#rows.length;
    taken.forEach((sequence, at) => {
      if (!sequence) return;
      const own = values.subarray(at * width, (at + 1) * width);
      sequence.generated.push(sampleToken(own, sequence.request.sampling, sequence.random));
    });
  }

  /** A step that fails leaves everything as it was: it can be tried again. */
  *#read(logits: Tensor2D, tail: KvTail): Work<Float32Array> {
    try {
      const values = yield* numbersOf(logits);
      this.#replaceTail(tail);
      return values;
    } catch (error) {
      this.#model.tf.dispose([tail.k, tail.v]);
      throw error;
    }
  }

  /** Its keys go back to its own cache; for one that is not here there is nothing to do. */
  leave(sequence: Sequence): void {
    const at = this.#rows.findIndex((row) => row?.sequence === sequence);
    if (at < 0) return;
    this.#giveBack(at);
    this.#rows[at] = null;
    if (!this.#rows.some((row) => row)) this.clear();
  }

  /** Forgets everybody: nobody decodes any more. */
  clear(): void {
    this.#replaceTail(null);
    this.#rows = [];
  }

  /** Everybody who steps has a row, nobody else, and there are as many rows as the model wants. */
  #seat(sequences: readonly Sequence[]): void {
    const wanted = new Set(sequences);
    this.#rows = this.#rows.map((row, at) => {
      if (!row || wanted.has(row.sequence)) return row;
      if (row.sequence.phase !== 'done') this.#giveBack(at);
      return null;
    });
    const size = this.#model.decodeRows(sequences.length);
    if (size !== this.#rows.length) this.#resize(size);
    for (const row of this.#rows) if (row) wanted.delete(row.sequence);
    for (const sequence of wanted) {
      this.#rows[this.#rows.indexOf(null)] = { sequence, start: this.#columns };
    }
  }

  /** The sitting rows come first; new ones are empty. */
  #resize(size: number): void {
    const order = this.#rows.flatMap((row, at) => (row ? [at] : []));
    const rows = order.map((at) => this.#rows[at]!);
    if (this.#tail) this.#replaceTail(this.#tailOf(order, size));
    this.#rows = [...rows, ...new Array<null>(size - rows.length).fill(null)];
  }

  #tailOf(order: readonly number[], size: number): KvTail {
    // What stands in an empty row is never seen: any will do.
    const source = Array.from({ length: size }, (_, at) => order[at] ?? 0);
    const { tf } = this.#model;
    const { k, v } = this.#tail!;
    return tf.tidy(() => {
      const index = tf.tensor1d(source, 'int32');
      return { k: tf.gather(k, index, 1), v: tf.gather(v, index, 1) };
    });
  }

  #moveLongRows(): void {
    this.#rows.forEach((row, at) => {
      if (row && this.#columns - row.start >= LONGEST_TAIL) this.#giveBack(at);
    });
    const first = Math.min(...this.#rows.map((row) => row?.start ?? this.#columns));
    if (first > LONGEST_TAIL / 2 || first === this.#columns) this.#dropColumns(first);
  }

  #giveBack(at: number): void {
    const row = this.#rows[at]!;
    const keys = this.#tail && tailRow(this.#model.tf, this.#tail, at, row.start);
    if (!keys) return;
    const count = this.#columns - row.start;
    const from = row.sequence.numTokens - 1 - count;
    row.sequence.live.append(
      keys,
      Int32Array.from({ length: count }, (_, i) => from + i),
    );
    row.start = this.#columns;
  }

  /** Nobody's columns. */
  #dropColumns(count: number): void {
    if (!this.#tail || count === 0) return;
    const left = this.#columns - count;
    this.#replaceTail(left === 0 ? null : this.#lastColumns(this.#tail, count, left));
    for (const row of this.#rows) if (row) row.start -= count;
  }

  #lastColumns({ k, v }: KvTail, start: number, count: number): KvTail {
    const { tf } = this.#model;
    const cut = (t: Tensor5D): Tensor5D => {
      const [layers, rows, kvHeads, , headDim] = t.shape;
      return tf.slice(t, [0, 0, 0, start, 0], [layers, rows, kvHeads, count, headDim]);
    };
    return tf.tidy(() => ({ k: cut(k), v: cut(v) }));
  }

  #replaceTail(tail: KvTail | null): void {
    this.#tail?.k.dispose();
    this.#tail?.v.dispose();
    this.#tail = tail;
  }
}
