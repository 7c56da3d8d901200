// Random vectors from a seed, and the exhaustive search that indexes are compared with.

/** mulberry32: 0 <= x < 1. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const gaussian = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

export const cosine = (a: Float32Array, b: Float32Array): number => {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return dot / Math.sqrt(aa * bb);
};

/** Vectors around random centres, as prompts of a few templates are. */
export class VectorWorld {
  readonly random: () => number;
  readonly #centres: Float32Array[];

  constructor(dimension: number, centres: number, seed: number) {
    this.random = randomFrom(seed);
    this.#centres = Array.from({ length: centres }, () =>
      Float32Array.from({ length: dimension }, () => gaussian(this.random)),
    );
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)]!;
  }

  member(): Float32Array {
    return this.near(this.pick(this.#centres), 0.5);
  }

  /** noise: length of what is added, relative to the vector's. */
  near(vector: Float32Array, noise: number): Float32Array {
    const size = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0) / vector.length);
    return vector.map((x) => x + noise * size * gaussian(this.random));
  }
}

/** Labels of the k nearest, best first. */
export function nearest(
  vectors: ReadonlyMap<number, Float32Array>,
  query: Float32Array,
  k: number,
): number[] {
  const all = [...vectors].map(([label, vector]) => [label, cosine(vector, query)] as const);
  return all
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, k)
    .map(([label]) => label);
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Asks again every 10 ms; throws after `limitMs`. */
export async function until(isSo: () => boolean, limitMs = 20_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`Not within ${limitMs} ms: ${isSo.toString()}`);
    await pause(10);
  }
}

export interface Kills {
  readonly times: number;
  /** Of the graph process, while there is one. */
  readonly pid: () => number | undefined;
  /** What was said of lost processes. */
  readonly lost: readonly string[];
  /** The process has all vectors. */
  readonly isUsed: () => boolean;
  /** Before every fourth kill: while it starts or is being filled. */
  readonly pauseMs: (kill: number) => number;
}

/** Ends with a process that is used again. */
export async function killAgainAndAgain({
  times,
  pid,
  lost,
  isUsed,
  pauseMs,
}: Kills): Promise<void> {
  for (let kill = 1; kill <= times; kill++) {
    await until(() => pid() !== undefined, 60_000);
    if (kill % 4 === 0) await pause(pauseMs(kill));
    else await until(isUsed, 60_000);
    process.kill(pid()!, 'SIGKILL');
    await until(() => lost.length === kill);
  }
  await until(isUsed, 60_000);
}
