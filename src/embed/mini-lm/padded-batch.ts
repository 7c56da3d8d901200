// Texts of like length go through the encoder together, padded to the longest of them. Batches stay small: TensorFlow
// computes on the thread that also serves requests, which gets a turn between two batches.

/** `count` texts of `length` tokens, row-major; mask 1 for a token, 0 for padding. */
export interface PaddedBatch {
  readonly ids: Int32Array;
  readonly mask: Float32Array;
  readonly count: number;
  readonly length: number;
}

/** Which of the texts, as places in the list they came in. */
interface Group {
  readonly members: readonly number[];
  readonly batch: PaddedBatch;
}

function pad(rows: readonly (readonly number[])[]): PaddedBatch {
  const count = rows.length;
  const length = Math.max(...rows.map((row) => row.length));
  const ids = new Int32Array(count * length);
  const mask = new Float32Array(count * length);
  rows.forEach((row, i) => {
    ids.set(row, i * length);
    mask.fill(1, i * length, i * length + row.length);
  });
  return { ids, mask, count, length };
}

/** Each text once, short ones first; at most `maxTokens` a batch, padding included, or one text. */
export function groupByLength(
  texts: readonly { readonly place: number; readonly ids: readonly number[] }[],
  maxTokens: number,
): Group[] {
  const waiting = [...texts].sort((a, b) => a.ids.length - b.ids.length);
  const groups: Group[] = [];
  let members: typeof waiting = [];
  const close = (): void => {
    if (members.length === 0) return;
    const batch = pad(members.map(({ ids }) => ids));
    groups.push({ members: members.map(({ place }) => place), batch });
    members = [];
  };
  for (const text of waiting) {
    if ((members.length + 1) * text.ids.length > maxTokens) close();
    members.push(text);
  }
  close();
  return groups;
}
