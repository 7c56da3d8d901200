// The tokens that text may not spell by accident: control tokens and the file's own added ones.
// Finds them in a rendered prompt (leftmost, longest) and names the ids that end a turn.
import { TokenType } from './vocabulary.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A plain piece, or a special token (`id` not null), with its place in the text. */
export interface TextPiece {
  readonly text: string;
  readonly start: number;
  readonly id: number | null;
}

export interface SpecialTokens {
  readonly strings: readonly string[];
  /** Cuts a text at its special tokens; empty pieces are left out. */
  split(text: string): TextPiece[];
}

/** Text as a pattern that matches just it. */
export const escapePattern = (text: string): string =>
  text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');

const isSpecial = (type: number | undefined): boolean =>
  type === TokenType.control || type === TokenType.userDefined;

export function specialTokens(vocabulary: Vocabulary): SpecialTokens {
  const ids = new Map<string, number>();
  vocabulary.tokens.forEach((token, id) => {
    if (isSpecial(vocabulary.types[id])) ids.set(token, id);
  });
  const strings = [...ids.keys()].sort((a, b) => b.length - a.length);
  // Without special tokens: a pattern that matches nowhere.
  const pattern = new RegExp(
    strings.length > 0 ? strings.map(escapePattern).join('|') : '(?!)',
    'g',
  );
  return {
    strings,
    split(text) {
      const pieces: TextPiece[] = [];
      let end = 0;
      const plain = (to: number): void => {
        if (to > end) pieces.push({ text: text.slice(end, to), start: end, id: null });
      };
      for (const match of text.matchAll(pattern)) {
        plain(match.index);
        pieces.push({ text: match[0], start: match.index, id: ids.get(match[0])! });
        end = match.index + match[0].length;
      }
      plain(text.length);
      return pieces;
    },
  };
}

/** Names under which models end a turn or a text; files often declare only one of them. */
const endNames = new Set([
  '<|im_end|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<|end|>',
  '<|end_of_text|>',
  '<|endoftext|>',
  '<end_of_turn>',
]);

export function stopTokens(vocabulary: Vocabulary): number[] {
  const named = vocabulary.tokens.flatMap((token, id) =>
    vocabulary.types[id] === TokenType.control && endNames.has(token) ? [id] : [],
  );
  return [...new Set([vocabulary.eosId, ...vocabulary.endIds, ...named])];
}
