// Equal token runs at any position (KVShare v2: rolling hash over runs of variable length). Donors are hashed
// in blocks of 16 at every 8th position, the target at every position, so each run of 23 tokens or more
// contains a hashed block, and so does every seam between two passages that stand side by side in a donor.
//
// Popular passages do not make it slow: of a block that hundreds of donors share, the newest few are compared;
// then the donors that serve the target best are aligned with it in full, so that nothing of theirs is missed.
import type { Donor, EqualRun } from '../kv/index.ts';
import { AnchorTable } from './anchor-table.ts';
import { RunSearch } from './run-search.ts';
import { TargetBlocks } from './target-blocks.ts';
import { BLOCK, blockKey, STRIDE } from './token-hash.ts';

export interface RunQuery {
  readonly target: Int32Array;
  /** >= SHORTEST_RUN. */
  readonly minRun: number;
  /** Only tokens from here on count: the exact prefix has served what is before. */
  readonly from: number;
  /** Donors that are aligned in full, whatever the search finds. */
  readonly nominated: readonly Donor[];
}

/** Newest copies of a block that are compared. */
const SCAN = 8;
/** Donors that are aligned in full when blocks had more copies than that. */
const ALIGNED = 8;
/** Tables grow by copying; many small ones take turns, so that no single growth takes long. */
const SHARDS = 32;

interface Member {
  readonly donor: Donor;
  /** Grows with every donor that is added. */
  readonly serial: number;
  /** Entry of each block, in its block's table. */
  readonly entries: Int32Array;
}

const numBlocks = ({ exactTokens }: Donor): number =>
  exactTokens < BLOCK ? 0 : Math.floor((exactTokens - BLOCK) / STRIDE) + 1;

export class RunIndex {
  readonly #tables: (AnchorTable | undefined)[] = [];
  readonly #members: (Member | undefined)[] = [];
  readonly #slots = new Map<Donor, number>();
  readonly #freeSlots: number[] = [];
  #nextSerial = 0;

  get entries(): number {
    return this.#tables.reduce((sum, table) => sum + (table?.size ?? 0), 0);
  }

  /** Of the tables; the donors' token ids are not counted. */
  get bytes(): number {
    return this.#tables.reduce((sum, table) => sum + (table?.bytes ?? 0), 0);
  }

  add(donor: Donor): void {
    const slot = this.#freeSlots.pop() ?? this.#members.length;
    const entries = new Int32Array(numBlocks(donor));
    this.#members[slot] = { donor, serial: this.#nextSerial++, entries };
    this.#slots.set(donor, slot);
    // Backwards: of a text that repeats itself the early copies are compared first, which reach furthest.
    for (let block = entries.length - 1; block >= 0; block--) {
      const key = blockKey(donor.tokens, block * STRIDE);
      entries[block] = this.#tableOf(key).insert(key, slot, block * STRIDE);
    }
  }

  remove(donor: Donor): void {
    const slot = this.#slots.get(donor);
    if (slot === undefined) return;
    this.#members[slot]!.entries.forEach((entry, block) => {
      this.#tableOf(blockKey(donor.tokens, block * STRIDE)).remove(entry);
    });
    this.#slots.delete(donor);
    this.#members[slot] = undefined;
    this.#freeSlots.push(slot);
  }

  /** Maximal equal runs with at least `minRun` tokens from `from` on; newest donor first, then by position. */
  find({ target, minRun, from, nominated }: RunQuery): EqualRun[] {
    const search = new RunSearch(target, from, minRun);
    const blocks = new TargetBlocks(target, from);
    const popular = this.#scan(search, blocks);
    const serving = popular ? search.bestDonors(ALIGNED) : [];
    for (const donor of new Set([...nominated, ...serving])) this.#align(donor, search, blocks);
    return search.runs();
  }

  /** Whether some block had more copies than were compared. */
  #scan(search: RunSearch, { from, keys }: TargetBlocks): boolean {
    let popular = false;
    keys.forEach((key, i) => {
      const more = this.#tables[key % SHARDS]?.visit(key, SCAN, (slot, position) => {
        const { donor, serial } = this.#members[slot]!;
        search.visit({ donor, serial, position }, from + i);
      });
      popular ||= more === true;
    });
    return popular;
  }

  #align(donor: Donor, search: RunSearch, blocks: TargetBlocks): void {
    const slot = this.#slots.get(donor);
    if (slot === undefined) return;
    const { serial, entries } = this.#members[slot]!;
    for (let block = 0; block < entries.length; block++) {
      const position = block * STRIDE;
      for (const at of blocks.positionsOf(blockKey(donor.tokens, position))) {
        search.visit({ donor, serial, position }, at);
      }
    }
  }

  #tableOf(key: number): AnchorTable {
    return (this.#tables[key % SHARDS] ??= new AnchorTable());
  }
}
