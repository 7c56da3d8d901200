// An attacker's text that the embedder takes for another one: from an instruction on, words are added or exchanged as
// long as the cosine to the wanted text rises (CacheAttack, arXiv 2601.23088, on our own embedder).
import type { Embedder } from '../../embed/index.ts';

/** Tries of one step; the best of them is taken when it is better. */
const TRIES = 96;
const MAX_STEPS = 150;
/** A longer text would be cut into two passages. */
const MAX_WORDS = 60;

export interface Climbed {
  readonly text: string;
  readonly cosine: number;
}

export interface ClimbInput {
  /** Where the climb starts, and what always stands first. */
  readonly start: string;
  readonly wanted: string;
  /** Ends as soon as the cosine is this high. */
  readonly threshold: number;
  readonly words: readonly string[];
  readonly random: () => number;
}

const dot = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** The filler with a word more, or with another word in some place. */
function changed({ words, random }: ClimbInput, filler: readonly string[]): string[] {
  const word = words[Math.floor(random() * words.length)]!;
  const grows = filler.length < MAX_WORDS && (filler.length === 0 || random() < 0.5);
  return grows ? [...filler, word] : filler.with(Math.floor(random() * filler.length), word);
}

export async function hillClimb(embedder: Embedder, input: ClimbInput): Promise<Climbed> {
  const { start, wanted, threshold } = input;
  const [goal] = await embedder.embed([wanted]);
  const textOf = (filler: readonly string[]): string => [start, ...filler].join(' ');
  const cosines = async (texts: readonly string[]): Promise<number[]> =>
    (await embedder.embed(texts)).map((vector) => (vector && goal ? dot(vector, goal) : -1));
  let filler: string[] = [];
  let [best] = await cosines([start]);
  for (let step = 0; step < MAX_STEPS && best! < threshold; step++) {
    const tries = Array.from({ length: TRIES }, () => changed(input, filler));
    const found = await cosines(tries.map(textOf));
    const top = found.reduce((a, value, i) => (value > found[a]! ? i : a), 0);
    if (found[top]! > best!) [best, filler] = [found[top], tries[top]!];
  }
  return { text: textOf(filler), cosine: best! };
}
