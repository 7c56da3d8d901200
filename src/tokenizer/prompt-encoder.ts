// Messages or a bare prompt → token ids and the start of the suffix. Special tokens come from the
// template alone. The suffix begins where the last paragraph stands in the rendered text: only the template knows where it
// puts that. Where the message is there as it was written, and once, it is seen; else the prompt is rendered once more,
// with two marks around the paragraph.
import { KvShareError } from '../errors.ts';
import type { ChatTemplate, TemplateMessage } from './chat-template.ts';
import { lastParagraph, suffixStart } from './prompt-suffix.ts';
import type { Paragraph } from './prompt-suffix.ts';
import type { SpecialTokens } from './special-tokens.ts';
import { TextGuard } from './text-guard.ts';
import type { SpecialStrings } from './text-guard.ts';
import { checkLength } from './word-encoder.ts';
import type { WordEncoder } from './word-encoder.ts';

export interface EncodedPrompt {
  readonly tokens: Int32Array;
  /** First token that is always computed fresh: the last paragraph of the last user message on. */
  readonly suffixStart: number;
}

export interface PromptParts {
  readonly words: WordEncoder;
  readonly special: SpecialTokens;
  readonly specialStrings: SpecialStrings;
  readonly classes: Uint8Array;
  readonly render: ChatTemplate;
}

/** What cannot fit whatever it says is refused before anybody renders it or cuts it into words: that takes seconds. */
function checkSize({ words }: PromptParts, texts: readonly string[], maxTokens: number): void {
  // A message is a token at least.
  checkLength(texts.length, maxTokens);
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  if (length > maxTokens * words.longest) checkLength(Infinity, maxTokens);
}

/** Guarded text → ids, with the token positions of two ascending offsets of that text. */
function encodeRendered(
  parts: PromptParts,
  guard: TextGuard,
  text: string,
  place: Paragraph,
  maxTokens: number,
): { tokens: Int32Array; start: number; end: number } {
  const ids: number[] = [];
  const found: number[] = [];
  const wanted = [place.start, place.end];
  for (const piece of parts.special.split(text)) {
    const next = piece.start + piece.text.length;
    const inside = wanted.slice(found.length).filter((offset) => offset < next);
    if (piece.id === null) {
      // Placeholders and what they stand for differ in length.
      const marks = inside.map((offset) => guard.restore(text.slice(piece.start, offset)).length);
      found.push(...parts.words.append(guard.restore(piece.text), ids, { marks, maxTokens }));
    } else {
      found.push(...inside.map(() => ids.length));
      ids.push(piece.id);
      checkLength(ids.length, maxTokens);
    }
  }
  const tokens = Int32Array.from(ids);
  return { tokens, start: found[0] ?? ids.length, end: found[1] ?? ids.length };
}

function withMarks(message: TemplateMessage, place: Paragraph, mark: string): TemplateMessage {
  const { content } = message;
  // Not in front of white space: the template may trim it away only when it stands at the edge.
  const first = place.start + leadOf(content.slice(place.start, place.end));
  const marked =
    content.slice(0, first) +
    mark +
    content.slice(first, place.end) +
    mark +
    content.slice(place.end);
  return { role: message.role, content: marked };
}

/** A shorter text may stand in the template by chance. A longer one takes a search the product of both lengths. */
const UNMISTAKABLE = { least: 32, most: 64 } as const;

/** White space that indents the paragraph belongs to it, the newline before it does not. */
function paragraphAt(rendered: string, first: number, length: number): Paragraph {
  const head = rendered.slice(0, first);
  const start = Math.max(head.trimEnd().length, head.lastIndexOf('\n') + 1);
  return { start, end: first + length };
}

/** Offset of the first visible character. */
const leadOf = (text: string): number => text.length - text.trimStart().length;

/** Where the message stands in the rendered text as it was written, once: no need to render again. */
function placeAsWritten(
  rendered: string,
  messages: readonly TemplateMessage[],
  index: number,
  place: Paragraph,
): Paragraph | null {
  const { content } = messages[index]!;
  const text = content.trim();
  if (text.length < UNMISTAKABLE.least) return null;
  const end = text.slice(-UNMISTAKABLE.most);
  const found = rendered.indexOf(end);
  const at = found + end.length - text.length;
  const isOnly =
    at >= 0 &&
    !rendered.includes(end, found + 1) &&
    messages.every((other, i) => i === index || !other.content.includes(end));
  if (found < 0 || !isOnly || !rendered.startsWith(text, at)) return null;
  const paragraph = content.slice(place.start, place.end);
  const first = at + place.start + leadOf(paragraph) - leadOf(content);
  return paragraphAt(rendered, first, paragraph.trimStart().length);
}

/** Where the last paragraph of the last user message stands in the rendered text. */
function locate(
  parts: PromptParts,
  guard: TextGuard,
  messages: readonly TemplateMessage[],
  rendered: string,
): Paragraph {
  const index = messages.findLastIndex(({ role }) => role === 'user');
  const place = index < 0 ? null : lastParagraph(messages[index]!.content);
  if (place === null) {
    const before = parts.render(messages, false);
    const start = rendered.startsWith(before) ? before.length : 0;
    return { start, end: rendered.length };
  }
  const known = placeAsWritten(rendered, messages, index, place);
  if (known) return known;
  const mark = guard.freshMark();
  const marked = messages.with(index, withMarks(messages[index]!, place, mark));
  const [head = '', paragraph, tail] = parts.render(marked, true).split(mark);
  // A template that shows the text otherwise when marked hides its place: the cap alone decides.
  if (paragraph === undefined || head + paragraph + (tail ?? '') !== rendered) {
    return { start: 0, end: rendered.length };
  }
  return paragraphAt(rendered, head.length, paragraph.length);
}

export function encodeChat(
  parts: PromptParts,
  messages: readonly TemplateMessage[],
  maxTokens = Infinity,
): EncodedPrompt {
  checkSize(
    parts,
    messages.map(({ content }) => content),
    maxTokens,
  );
  const texts = messages.flatMap(({ role, content }) => [role, content]);
  const guard = new TextGuard(parts.specialStrings, texts);
  const guarded = messages.map(({ role, content }) => ({
    role: guard.role(role),
    content: guard.content(content),
  }));
  const rendered = parts.render(guarded, true);
  const place = locate(parts, guard, guarded, rendered);
  const { tokens, start, end } = encodeRendered(parts, guard, rendered, place, maxTokens);
  if (tokens.length === 0) throw empty('messages');
  return { tokens, suffixStart: suffixStart(tokens, parts.classes, start, end) };
}

export function encodePrompt(
  parts: PromptParts,
  text: string,
  maxTokens = Infinity,
): EncodedPrompt {
  checkSize(parts, [text], maxTokens);
  const ids: number[] = [];
  const place = lastParagraph(text) ?? { start: text.length, end: text.length };
  const marks = [place.start, place.end];
  const [start = 0, end = 0] = parts.words.append(text, ids, { marks, maxTokens });
  if (ids.length === 0) throw empty('prompt');
  const tokens = Int32Array.from(ids);
  return { tokens, suffixStart: suffixStart(tokens, parts.classes, start, end) };
}

/** Nobody knows which of the tokens are the question: the last ones, from a sentence's beginning on, are taken for it. */
export function readTokens(
  { classes }: PromptParts,
  ids: readonly number[],
  maxTokens = Infinity,
): EncodedPrompt {
  if (ids.length === 0) throw empty('prompt');
  checkLength(ids.length, maxTokens);
  if (!ids.every((id) => id >= 0 && id < classes.length)) {
    throw new KvShareError('invalid_request', 'prompt: not a token id of this model.', 'prompt');
  }
  const tokens = Int32Array.from(ids);
  return { tokens, suffixStart: suffixStart(tokens, classes, 0, tokens.length) };
}

const empty = (param: string): KvShareError =>
  new KvShareError('invalid_request', 'The prompt is empty.', param);
