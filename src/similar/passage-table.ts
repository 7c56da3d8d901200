// The passages of one scope: each text once, with its vector and the donors that hold it. Popular passages keep
// their donors by age, so that a look-up sees the newest few and eviction stays exact.
import type { Donor } from '../kv/index.ts';
import type { VectorIndex } from '../vectors/index.ts';
import type { Calibration } from './calibration.ts';

export interface Passage {
  readonly key: string;
  /** In the vector index; null for a text without a vector. */
  readonly label: number | null;
  /** Oldest first. */
  readonly donors: Donor[];
}

interface Member {
  readonly passages: readonly Passage[];
  /** Tokens of each passage. */
  readonly sizes: readonly number[];
}

/** A passage of a prompt that is being looked up, or of a donor. */
export interface Weighted {
  readonly vector: Float32Array;
  /** Tokens times rarity. */
  readonly weight: number;
  /** As `PassageTable.rarity`. */
  readonly rarity: number;
}

/** Among a handful of donors nothing is rare yet. */
const SMOOTHING = 10;
const SAMPLE = 64;
/** Coprime to the sample's size: each one gets its turn. */
const STEP = 37;
const FEWEST = 8;

export class PassageTable {
  readonly vectors: VectorIndex;
  /** One scope's prompts say nothing of another's. */
  readonly calibration: Calibration;
  readonly #passages = new Map<string, Passage>();
  readonly #byLabel = new Map<number, Passage>();
  readonly #members = new Map<Donor, Member>();
  /** Some donors, most of them recent. */
  readonly #sample: Donor[] = [];
  #added = 0;

  constructor(vectors: VectorIndex, calibration: Calibration) {
    this.vectors = vectors;
    this.calibration = calibration;
  }

  /** Donors. */
  get size(): number {
    return this.#members.size;
  }

  get numPassages(): number {
    return this.#passages.size;
  }

  get(key: string): Passage | undefined {
    return this.#passages.get(key);
  }

  byLabel(label: number): Passage | undefined {
    return this.#byLabel.get(label);
  }

  has(donor: Donor): boolean {
    return this.#members.has(donor);
  }

  /** `vectorOf` is asked for passages that are new here. */
  add(
    donor: Donor,
    found: readonly { readonly key: string; readonly tokens: number }[],
    vectorOf: (key: string) => Float32Array | null,
  ): void {
    const once = [...new Map(found.map((passage) => [passage.key, passage])).values()];
    const passages = once.map(({ key }) => {
      const known = this.#passages.get(key);
      known?.donors.push(donor);
      return known ?? this.#create(key, donor, vectorOf);
    });
    this.#members.set(donor, { passages, sizes: once.map(({ tokens }) => tokens) });
    this.#sample[this.#added++ % SAMPLE] = donor;
  }

  /** Some other donor; null while there are too few to tell what is usual. */
  anotherThan(donor: Donor): Donor | null {
    const other = this.#sample[(this.#added * STEP) % this.#sample.length];
    const usable = other && other !== donor && this.#members.has(other);
    return usable && this.size >= FEWEST ? other : null;
  }

  remove(donor: Donor): void {
    const member = this.#members.get(donor);
    if (!member) return;
    this.#members.delete(donor);
    for (const passage of member.passages) {
      passage.donors.splice(passage.donors.indexOf(donor), 1);
      if (passage.donors.length > 0) continue;
      this.#passages.delete(passage.key);
      if (passage.label === null) continue;
      this.#byLabel.delete(passage.label);
      this.vectors.remove(passage.label);
    }
  }

  /** What many donors have says little about any of them (inverse document frequency); > 0. */
  rarity(passage: Passage | undefined): number {
    return Math.log((this.size + SMOOTHING) / ((passage?.donors.length ?? 0) + 1));
  }

  /** The donor's passages and their tokens. */
  eachPassage(donor: Donor, show: (passage: Passage, tokens: number) => void): void {
    const member = this.#members.get(donor);
    member?.passages.forEach((passage, i) => show(passage, member.sizes[i]!));
  }

  /** Vectors of the donor's passages, weighted by length and rarity. */
  weightedOf(donor: Donor): Weighted[] {
    const weighted: Weighted[] = [];
    this.eachPassage(donor, (passage, tokens) => {
      const vector = this.vectorOf(passage);
      if (!vector) return;
      const rarity = this.rarity(passage);
      weighted.push({ vector, weight: tokens * rarity, rarity });
    });
    return weighted;
  }

  /** In `into` where that is given. */
  vectorOf({ label }: Passage, into?: Float32Array): Float32Array | null {
    return label === null ? null : this.vectors.vectorOf(label, into);
  }

  #create(key: string, donor: Donor, vectorOf: (key: string) => Float32Array | null): Passage {
    const vector = vectorOf(key);
    // An array that begins empty would keep room for seventeen.
    const passage: Passage = { key, label: vector && this.vectors.add(vector), donors: [donor] };
    this.#passages.set(key, passage);
    if (passage.label !== null) this.#byLabel.set(passage.label, passage);
    return passage;
  }
}
