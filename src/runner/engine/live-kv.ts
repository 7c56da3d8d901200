// The KV of one running sequence in the order it arrived (imported tokens first), with the target position
// of every token beside it. Attention does not mind the order, masks do. It is held in blocks, so that a
// chunk or a token adds its own keys without copying the earlier ones; they are joined when somebody needs
// them in one piece.
import type { Tf } from '../backend/index.ts';
import {
  blockTokens,
  disposeBlock,
  joinBlocks,
  rowTaker,
  shareBlock,
  sliceLayers,
  type KvBlock,
} from '../model/kv-block.ts';

/** More pieces than this are taken faster from one joined block. */
const MOST_PIECES = 4;

export class LiveKv {
  #blocks: KvBlock[] = [];
  #positions = new Int32Array(0);

  /** Target position by row. */
  get positions(): Int32Array {
    return this.#positions;
  }

  /** All rows in one piece; null before the first token. Still this cache's own. */
  joined(tf: Tf): KvBlock | null {
    if (this.#blocks.length > 1) {
      const all = tf.tidy(() => joinBlocks(tf, this.#blocks, 'token'));
      this.#blocks.forEach(disposeBlock);
      this.#blocks = [all];
    }
    return this.#blocks[0] ?? null;
  }

  /** Takes ownership of the block that holds these positions. */
  append(block: KvBlock, fresh: Int32Array): void {
    this.#blocks.push(block);
    const positions = new Int32Array(this.#positions.length + fresh.length);
    positions.set(this.#positions);
    positions.set(fresh, this.#positions.length);
    this.#positions = positions;
  }

  /** Other numbers for all rows, in their order; takes ownership of the block. */
  replace(block: KvBlock): void {
    this.#blocks.forEach(disposeBlock);
    this.#blocks = [block];
  }

  /** Copies positions [start, end) in ascending order; the caller owns the result. */
  copyRange(tf: Tf, start: number, end: number): KvBlock {
    return this.copyRows(
      tf,
      Int32Array.from({ length: end - start }, (_, i) => start + i),
    );
  }

  /** Copies these positions of layers [firstLayer, endLayer) in this order; the caller owns the result. */
  copyRows(tf: Tf, wanted: Int32Array, firstLayer = 0, endLayer?: number): KvBlock {
    let pieces = this.#piecesOf(wanted);
    if (pieces.length > MOST_PIECES) {
      this.joined(tf);
      pieces = this.#piecesOf(wanted);
    }
    const numLayers = this.#blocks[0]!.k.shape[0];
    const end = endLayer ?? numLayers;
    const partial = firstLayer > 0 || end < numLayers;
    return tf.tidy(() => {
      const taken = pieces.map(({ block, rows }): KvBlock => {
        const whole = this.#blocks[block]!;
        const { k, v } = partial ? sliceLayers(tf, whole, firstLayer, end) : whole;
        const take = rowTaker(tf, rows);
        return { k: take(k), v: take(v) };
      });
      return joinBlocks(tf, taken, 'token');
    });
  }

  /** All positions in ascending order, in memory that the caller's block and this cache share from now on. */
  shareOrdered(tf: Tf): KvBlock {
    const positions = Int32Array.from(this.#positions).sort();
    this.retain(tf, positions);
    return shareBlock(tf, this.#blocks[0]!);
  }

  /** Keeps only these positions, in this order, and only the layers from `firstLayer` on. */
  retain(tf: Tf, wanted: Int32Array, firstLayer = 0): void {
    const kept = wanted.length > 0 ? this.copyRows(tf, wanted, firstLayer) : null;
    this.clear();
    if (kept) this.append(kept, wanted);
  }

  /** A second cache over the same tensors, from `firstLayer` on, that can grow by itself. */
  fork(tf: Tf, firstLayer: number): LiveKv {
    const copy = new LiveKv();
    const all = this.joined(tf);
    if (!all) return copy;
    const own = firstLayer > 0 ? sliceLayers(tf, all, firstLayer, all.k.shape[0]) : null;
    copy.append(own ?? shareBlock(tf, all), this.#positions);
    return copy;
  }

  /** Takes ownership of layers that go before the ones held; their rows must be in the same order. */
  prependLayers(tf: Tf, first: KvBlock): void {
    const rest = this.joined(tf);
    if (rest) {
      this.#blocks = [joinBlocks(tf, [first, rest], 'layer')];
      disposeBlock(first);
      disposeBlock(rest);
    } else {
      this.#blocks = [first];
    }
  }

  /** As if nothing had been computed. */
  clear(): void {
    this.#blocks.forEach(disposeBlock);
    this.#blocks = [];
    this.#positions = new Int32Array(0);
  }

  /** The wanted positions as stretches of one block each. */
  #piecesOf(wanted: Int32Array): { block: number; rows: number[] }[] {
    const placeOf = new Map<number, { block: number; row: number }>();
    let at = 0;
    this.#blocks.forEach((own, block) => {
      for (let row = 0; row < blockTokens(own); row++) {
        placeOf.set(this.#positions[at++]!, { block, row });
      }
    });
    const pieces: { block: number; rows: number[] }[] = [];
    for (const position of wanted) {
      const place = placeOf.get(position);
      if (!place) throw new Error('a position has no KV');
      const last = pieces.at(-1);
      if (last?.block === place.block) last.rows.push(place.row);
      else pieces.push({ block: place.block, rows: [place.row] });
    }
    return pieces;
  }
}
