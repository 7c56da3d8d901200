// The vector match of one replay: what its texts are, and what turns them into vectors.
import { SimilarPrompts, type SimilarPromptsOptions } from '../similar/index.ts';

/** What turns texts into vectors and finds their neighbours; shared by all replays. */
export type Meaning = Pick<SimilarPromptsOptions, 'embedder' | 'vectors'>;

/** What a tokenizer tells of tokens. */
export interface TokenReader {
  readonly tokenClasses: Uint8Array;
  decode(tokens: Iterable<number>): string;
}

export const textReader =
  (reader: TokenReader): SimilarPromptsOptions['readText'] =>
  (tokens, start, end) =>
    reader.decode(tokens.subarray(start, end));

/** A failure ends the replay: what it would report is of another match. */
export function openSimilar({ embedder, vectors }: Meaning, reader: TokenReader): SimilarPrompts {
  return new SimilarPrompts({
    embedder,
    vectors,
    tokenClasses: reader.tokenClasses,
    readText: textReader(reader),
    onFailure: (error) => {
      throw error as Error;
    },
  });
}
