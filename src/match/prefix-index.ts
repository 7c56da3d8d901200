// The longest prefix that a target has in common with a part of any donor (the exactly computed one, the prompt): a
// radix tree over token ids. Time is linear in the target however many donors there are, memory is at most two nodes
// a donor. An edge has no tokens of its own: every donor below it spells them.
import type { Donor, PrefixMatch } from '../kv/index.ts';

export function commonPrefix(a: Int32Array, b: Int32Array, limit: number): number {
  let length = 0;
  const end = Math.min(a.length, b.length, limit);
  while (length < end && a[length] === b[length]) length++;
  return length;
}

interface Entry {
  readonly donor: Donor;
  /** Grows with every donor that is added. */
  readonly serial: number;
}

/** Most nodes are leaves. */
const NO_CHILDREN: ReadonlyMap<number, Node> = new Map();

class Node {
  /** The edge to this node spells tokens [start, end) of every donor below. */
  start: number;
  readonly end: number;
  children: ReadonlyMap<number, Node> = NO_CHILDREN;
  /** Donors whose part ends here, oldest first. */
  ends: Entry[] = [];
  /** The newest donor at or below this node. */
  latest: Entry;

  constructor(start: number, end: number, latest: Entry) {
    this.start = start;
    this.end = end;
    this.latest = latest;
  }

  setChild(token: number, child: Node): void {
    if (this.children === NO_CHILDREN) this.children = new Map([[token, child]]);
    else (this.children as Map<number, Node>).set(token, child);
  }

  deleteChild(token: number): void {
    if (this.children.size > 1) (this.children as Map<number, Node>).delete(token);
    else this.children = NO_CHILDREN;
  }

  get isNeeded(): boolean {
    return this.ends.length > 0 || this.children.size > 1;
  }

  findLatest(): void {
    const below = [...this.children.values()].map((child) => child.latest);
    const last = this.ends.at(-1);
    this.latest = (last ? [last, ...below] : below).reduce((a, b) => (b.serial > a.serial ? b : a));
  }
}

/** How far the edge to `node` agrees with `tokens`, as a position. */
function agreeUpTo(node: Node, tokens: Int32Array, limit: number): number {
  const { donor } = node.latest;
  const end = Math.min(node.end, limit);
  let at = node.start;
  while (at < end && donor.tokens[at] === tokens[at]) at++;
  return at;
}

export class PrefixIndex {
  readonly #lengthOf: (donor: Donor) => number;
  #root: Node | null = null;
  #nextSerial = 0;
  #nodes = 0;

  /** `lengthOf`: how many of a donor's first tokens are indexed; it may not change while the donor is here. */
  constructor(lengthOf: (donor: Donor) => number) {
    this.#lengthOf = lengthOf;
  }

  add(donor: Donor): void {
    const entry = { donor, serial: this.#nextSerial++ };
    const { tokens } = donor;
    const length = this.#lengthOf(donor);
    if (!this.#root) this.#root = this.#node(0, 0, entry);
    let node = this.#root;
    node.latest = entry;
    while (node.end < length) {
      const child = node.children.get(tokens[node.end]!);
      if (!child) {
        const leaf = this.#node(node.end, length, entry);
        node.setChild(tokens[node.end]!, leaf);
        node = leaf;
        break;
      }
      const reached = agreeUpTo(child, tokens, length);
      node = reached < child.end ? this.#split(node, child, reached) : child;
      node.latest = entry;
    }
    node.ends.push(entry);
  }

  remove(donor: Donor): void {
    const path = this.#pathOf(donor);
    const node = path.at(-1);
    if (!node) return;
    node.ends = node.ends.filter((entry) => entry.donor !== donor);
    for (let at = path.length - 1; at >= 0; at--) this.#tidy(path[at]!, path[at - 1] ?? null);
  }

  /** `accept` may only refuse by age: what is older than a refused donor is refused as well. */
  longest(target: Int32Array, accept: (donor: Donor) => boolean = () => true): PrefixMatch | null {
    let node = this.#root;
    let length = 0;
    while (node?.end === length) {
      const child: Node | undefined = node.children.get(target[length]!);
      if (!child || !accept(child.latest.donor)) break;
      length = agreeUpTo(child, target, target.length);
      node = child;
    }
    return node && length > 0 ? { donor: node.latest.donor, length } : null;
  }

  /** Nodes of the tree. */
  get entries(): number {
    return this.#nodes;
  }

  #node(start: number, end: number, latest: Entry): Node {
    this.#nodes++;
    return new Node(start, end, latest);
  }

  /** A node in the middle of the edge from `parent` to `child`. */
  #split(parent: Node, child: Node, at: number): Node {
    const { tokens } = child.latest.donor;
    const middle = this.#node(child.start, at, child.latest);
    parent.setChild(tokens[child.start]!, middle);
    child.start = at;
    middle.setChild(tokens[at]!, child);
    return middle;
  }

  /** Root to the node where the donor ends; empty when it is not here. */
  #pathOf(donor: Donor): Node[] {
    const { tokens } = donor;
    const length = this.#lengthOf(donor);
    const path: Node[] = [];
    let node = this.#root ?? undefined;
    while (node) {
      path.push(node);
      if (node.end >= length) break;
      node = node.children.get(tokens[node.end]!);
    }
    return node ? path : [];
  }

  /** Drops a node that nothing needs any more and corrects the newest donor of the others. */
  #tidy(node: Node, parent: Node | null): void {
    const tokenAt = (child: Node): number => child.latest.donor.tokens[child.start]!;
    if (node.ends.length === 0 && node.children.size === 0) {
      // `latest` is the donor that just left: it still spells the edge.
      parent?.deleteChild(tokenAt(node));
      if (!parent) this.#root = null;
      this.#nodes--;
      return;
    }
    node.findLatest();
    if (!parent || node.isNeeded) return;
    const [only] = node.children.values();
    only!.start = node.start;
    parent.setChild(tokenAt(only!), only!);
    this.#nodes--;
  }
}
