// Which donor has which block where: a hash table in typed arrays with a chain for every bucket, newest entry
// first. 20 bytes an entry and 4 to 8 a bucket; nothing here is an object that the garbage collector
// would have to visit.

const NONE = -1;
const FIRST_CAPACITY = 32;

/** Entries that a look-up passes before it gives up on a bucket: other keys can share it. */
const MAX_STEPS = 64;

function grown(old: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const array = new Int32Array(capacity);
  array.set(old);
  return array;
}

export class AnchorTable {
  #heads = new Int32Array(FIRST_CAPACITY).fill(NONE);
  #keys = new Int32Array(FIRST_CAPACITY);
  #owners = new Int32Array(FIRST_CAPACITY);
  #positions = new Int32Array(FIRST_CAPACITY);
  #next = new Int32Array(FIRST_CAPACITY);
  #previous = new Int32Array(FIRST_CAPACITY);
  #free = NONE;
  #used = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return 4 * (5 * this.#keys.length + this.#heads.length);
  }

  /** The entry's id, for `remove`. */
  insert(key: number, owner: number, position: number): number {
    const id = this.#take();
    this.#keys[id] = key | 0;
    this.#owners[id] = owner;
    this.#positions[id] = position;
    this.#link(id);
    this.#size++;
    return id;
  }

  remove(id: number): void {
    const [before, after] = [this.#previous[id]!, this.#next[id]!];
    if (after !== NONE) this.#previous[after] = before;
    if (before === NONE) this.#heads[this.#bucketOf(id)] = after;
    else this.#next[before] = after;
    this.#next[id] = this.#free;
    this.#free = id;
    this.#size--;
  }

  /** Newest first; at most `limit` entries are shown. True when there may be more. */
  visit(key: number, limit: number, show: (owner: number, position: number) => void): boolean {
    let shown = 0;
    let steps = 0;
    for (let id = this.#heads[key & (this.#heads.length - 1)]!; id !== NONE; id = this.#next[id]!) {
      if (shown === limit || ++steps > MAX_STEPS) return true;
      if (this.#keys[id] !== (key | 0)) continue;
      shown++;
      show(this.#owners[id]!, this.#positions[id]!);
    }
    return false;
  }

  #bucketOf(id: number): number {
    return this.#keys[id]! & (this.#heads.length - 1);
  }

  #link(id: number): void {
    const bucket = this.#bucketOf(id);
    const head = this.#heads[bucket]!;
    this.#next[id] = head;
    this.#previous[id] = NONE;
    if (head !== NONE) this.#previous[head] = id;
    this.#heads[bucket] = id;
  }

  #take(): number {
    if (this.#free !== NONE) {
      const id = this.#free;
      this.#free = this.#next[id]!;
      return id;
    }
    if (this.#used === this.#keys.length) this.#grow();
    return this.#used++;
  }

  /** Twice the room; only called when every id is in use, so chains can be rebuilt in order of age. */
  #grow(): void {
    const chains = this.#chains();
    const capacity = 2 * this.#keys.length;
    this.#keys = grown(this.#keys, capacity);
    this.#owners = grown(this.#owners, capacity);
    this.#positions = grown(this.#positions, capacity);
    this.#next = grown(this.#next, capacity);
    this.#previous = grown(this.#previous, capacity);
    this.#heads = new Int32Array(capacity).fill(NONE);
    for (const id of chains) this.#link(id);
  }

  /** All ids, of each bucket the oldest first. */
  #chains(): Int32Array {
    const ids = new Int32Array(this.#used);
    let at = ids.length;
    for (const head of this.#heads) {
      for (let id = head; id !== NONE; id = this.#next[id]!) ids[--at] = id;
    }
    return ids;
  }
}
