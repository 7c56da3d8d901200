// Token ids → text, whole or one by one. A token may end inside a character, so the stream holds back
// incomplete bytes; both ways give the same text for the same ids. Ids that are no text give none.

export interface StreamDecoder {
  /** Text that is certain after this token; never half a character. */
  push(id: number): string;
  /** What is left, incomplete bytes as U+FFFD. */
  flush(): string;
}

export function streamDecoder(bytes: readonly Uint8Array[]): StreamDecoder {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    push: (id) => decoder.decode(bytes[id] ?? new Uint8Array(0), { stream: true }),
    flush: () => decoder.decode(),
  };
}

export function decode(bytes: readonly Uint8Array[], ids: Iterable<number>): string {
  const parts: Uint8Array[] = [];
  for (const id of ids) parts.push(bytes[id] ?? new Uint8Array(0));
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(parts));
}
