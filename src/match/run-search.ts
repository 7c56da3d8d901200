// One search for runs: what was compared already, what was found. A hash hit only nominates; the tokens
// decide, and each run is compared once although many of its blocks are hit.
import type { Donor, EqualRun } from '../kv/index.ts';

/** Runs of one donor over the same target token; more only arise where a text repeats itself. */
const MAX_OVERLAPS = 8;

/** A block of a donor, as the index keeps it. */
export interface Anchor {
  readonly donor: Donor;
  /** Grows with every donor that is added. */
  readonly serial: number;
  readonly position: number;
}

/** What has been compared with one donor. */
interface Trail {
  /** Diagonal (donor position - target position) → target position up to which it is known. */
  readonly known: Map<number, number>;
  /** Ends of the runs found last, where several lie over each other. */
  ends: number[];
}

export class RunSearch {
  readonly #found: { readonly run: EqualRun; readonly serial: number }[] = [];
  readonly #target: Int32Array;
  readonly #from: number;
  readonly #minRun: number;
  readonly #trails = new Map<number, Trail>();

  constructor(target: Int32Array, from: number, minRun: number) {
    this.#target = target;
    this.#from = from;
    this.#minRun = minRun;
  }

  /** Donors whose runs have most tokens, newest first among equals. */
  bestDonors(count: number): Donor[] {
    const tokens = new Map<Donor, number>();
    for (const { donor, length } of this.runs()) {
      tokens.set(donor, (tokens.get(donor) ?? 0) + length);
    }
    const ranked = [...tokens].sort(([, a], [, b]) => b - a);
    return ranked.slice(0, count).map(([donor]) => donor);
  }

  /** Newest donor first, then by position. */
  runs(): EqualRun[] {
    const byAge = this.#found.sort(
      (a, b) =>
        b.serial - a.serial ||
        a.run.targetStart - b.run.targetStart ||
        a.run.donorStart - b.run.donorStart,
    );
    return byAge.map(({ run }) => run);
  }

  /** Follows the diagonal through donor.tokens[position] and target[at]. */
  visit({ donor, serial, position }: Anchor, at: number): void {
    const trail = this.#trailOf(serial);
    const diagonal = position - at;
    if ((trail.known.get(diagonal) ?? 0) > at) return;
    if (isCrowded(trail, at)) return;
    const run = extend(donor, this.#target, position, at);
    const end = run.targetStart + run.length;
    trail.known.set(diagonal, end);
    if (end - Math.max(run.targetStart, this.#from) < this.#minRun) return;
    trail.ends.push(end);
    this.#found.push({ run, serial });
  }

  #trailOf(serial: number): Trail {
    let trail = this.#trails.get(serial);
    if (!trail) this.#trails.set(serial, (trail = { known: new Map(), ends: [] }));
    return trail;
  }
}

/** A text that repeats itself equals its donor at every shift: the time would grow with the square. */
function isCrowded(trail: Trail, at: number): boolean {
  if (trail.ends.length < MAX_OVERLAPS) return false;
  trail.ends = trail.ends.filter((end) => end > at);
  return trail.ends.length >= MAX_OVERLAPS;
}

/** The maximal run through donor.tokens[position] and target[at]; length 0 when the hash lied. */
function extend(donor: Donor, target: Int32Array, position: number, at: number): EqualRun {
  const { tokens, exactTokens } = donor;
  let right = 0;
  while (
    position + right < exactTokens &&
    at + right < target.length &&
    tokens[position + right] === target[at + right]
  ) {
    right++;
  }
  let left = 0;
  while (
    right > 0 &&
    position - left > 0 &&
    at - left > 0 &&
    tokens[position - left - 1] === target[at - left - 1]
  ) {
    left++;
  }
  return {
    donor,
    donorStart: position - left,
    targetStart: at - left,
    length: left + right,
  };
}
