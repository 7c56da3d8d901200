// "Did you mean …": the known name that a misspelt one was probably meant to be.

/** More letters wrong than this, and it was meant to be something else. */
const NEAR = 2;

/** Edits that turn one word into the other, counted letter by letter. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(row[j]! + (a[i] === b[j] ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

function nearestName(name: string, known: readonly string[]): string | null {
  const ranked = known
    .map((candidate) => ({
      candidate,
      edits: distance(name.toLowerCase(), candidate.toLowerCase()),
    }))
    .filter(({ edits }) => edits <= NEAR)
    .sort((a, b) => a.edits - b.edits);
  return ranked[0]?.candidate ?? null;
}

/** ` Did you mean "…"?`, to be put behind an error; empty when nothing is near. */
export function didYouMean(name: string, known: readonly string[], prefix = ''): string {
  const near = nearestName(name, known);
  return near === null ? '' : ` Did you mean "${prefix}${near}"?`;
}
