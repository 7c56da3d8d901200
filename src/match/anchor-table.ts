// Which donor has which block where: a hash table in two typed arrays with a chain for every bucket, newest entry
// first. 20 bytes an entry, side by side so that a look-up touches one place of memory, and 2 to 4 for its bucket;
// nothing here is an object that the garbage collector would have to visit.

const NONE = -1;
const FIRST_CAPACITY = 8;
/** A quarter more at a time: twice as much would leave a third of the memory empty on average. */
const GROWTH = 1.25;
/** Entries a bucket before there are twice as many buckets. */
const MAX_LOAD = 2;

/** Of a key, that do not choose its bucket. */
const LOWER_BITS = 8;

/** Entries that a look-up passes before it gives up on a bucket: other keys can share it. */
const MAX_STEPS = 64;

/** An entry: its fields, by their place in it. */
const KEY = 0;
const OWNER = 1;
const POSITION = 2;
const NEXT = 3;
const PREVIOUS = 4;
const FIELDS = 5;

export class AnchorTable {
  #heads = new Int32Array(FIRST_CAPACITY).fill(NONE);
  /** [capacity, FIELDS] */
  #entries = new Int32Array(FIRST_CAPACITY * FIELDS);
  #free = NONE;
  #used = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#entries.byteLength + this.#heads.byteLength;
  }

  /** The entry's id, for `remove`. */
  insert(key: number, owner: number, position: number): number {
    const id = this.#take();
    const at = id * FIELDS;
    this.#entries[at + KEY] = key | 0;
    this.#entries[at + OWNER] = owner;
    this.#entries[at + POSITION] = position;
    this.#link(id);
    this.#size++;
    return id;
  }

  remove(id: number): void {
    const entries = this.#entries;
    const at = id * FIELDS;
    const [before, after] = [entries[at + PREVIOUS]!, entries[at + NEXT]!];
    if (after !== NONE) entries[after * FIELDS + PREVIOUS] = before;
    if (before === NONE) this.#heads[this.#bucketOf(entries[at + KEY]!)] = after;
    else entries[before * FIELDS + NEXT] = after;
    entries[at + NEXT] = this.#free;
    this.#free = id;
    this.#size--;
  }

  /** Newest first; at most `limit` entries are shown. True when there may be more. */
  visit(key: number, limit: number, show: (owner: number, position: number) => void): boolean {
    const entries = this.#entries;
    let shown = 0;
    let steps = 0;
    let id = this.#heads[this.#bucketOf(key)]!;
    while (id !== NONE) {
      if (shown === limit || ++steps > MAX_STEPS) return true;
      const at = id * FIELDS;
      id = entries[at + NEXT]!;
      if (entries[at + KEY] !== (key | 0)) continue;
      shown++;
      show(entries[at + OWNER]!, entries[at + POSITION]!);
    }
    return false;
  }

  /** By the upper bits: keys of one table may all have the same lower ones (see RunIndex). */
  #bucketOf(key: number): number {
    return (key >>> LOWER_BITS) & (this.#heads.length - 1);
  }

  #link(id: number): void {
    const bucket = this.#bucketOf(this.#entries[id * FIELDS + KEY]!);
    const head = this.#heads[bucket]!;
    this.#entries[id * FIELDS + NEXT] = head;
    this.#entries[id * FIELDS + PREVIOUS] = NONE;
    if (head !== NONE) this.#entries[head * FIELDS + PREVIOUS] = id;
    this.#heads[bucket] = id;
  }

  #take(): number {
    if (this.#free !== NONE) {
      const id = this.#free;
      this.#free = this.#entries[id * FIELDS + NEXT]!;
      return id;
    }
    if (this.#used * FIELDS === this.#entries.length) this.#grow();
    return this.#used++;
  }

  /** Only called when every id is in use. */
  #grow(): void {
    const capacity = Math.ceil(GROWTH * this.#used);
    const entries = new Int32Array(capacity * FIELDS);
    entries.set(this.#entries);
    this.#entries = entries;
    if (this.#used <= MAX_LOAD * this.#heads.length) return;
    const chains = this.#chains();
    this.#heads = new Int32Array(2 * this.#heads.length).fill(NONE);
    for (const id of chains) this.#link(id);
  }

  /** All ids, of each bucket the oldest first. */
  #chains(): Int32Array {
    const ids = new Int32Array(this.#used);
    let at = ids.length;
    for (const head of this.#heads) {
      for (let id = head; id !== NONE; id = this.#entries[id * FIELDS + NEXT]!) ids[--at] = id;
    }
    return ids;
  }
}
