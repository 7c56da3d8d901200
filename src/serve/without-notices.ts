// What a child writes on stderr, passed on byte by byte, but for two lines: TensorFlow's library writes them whenever it
// is loaded, before it has read any setting of its own, and neither tells anybody of anything to do.

const notices = [
  /^WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR\r?\n$/,
  /^I0000 00:00:[\d.]+ +\d+ port\.cc:\d+\] oneDNN custom operations are on\. [^`\n]*`TF_ENABLE_ONEDNN_OPTS=0`\.\n$/,
];
const beginnings = ['WARNING: All log messages before absl::', 'I0000 00:00:'];
const LONGEST = 1_000;

const isNotice = (line: string): boolean => notices.some((notice) => notice.test(line));

/** Whether the rest has to come before it is known. */
const mayBecomeNotice = (begun: string): boolean =>
  begun.length < LONGEST &&
  beginnings.some((known) => known.startsWith(begun) || begun.startsWith(known));

export class WithoutNotices {
  /** The beginning of a line that may be one of the two. */
  #held = '';
  #isInLine = false;

  /** What of it, and of what was held, is passed on now. */
  pass(chunk: Buffer): Buffer {
    // Each byte a character, whatever it means.
    const pieces = chunk.toString('latin1').split(/(?<=\n)/);
    return Buffer.from(pieces.map((piece) => this.#pass(piece)).join(''), 'latin1');
  }

  /** At the end. */
  rest(): Buffer {
    const held = Buffer.from(this.#held, 'latin1');
    this.#held = '';
    return held;
  }

  #pass(piece: string): string {
    const line = this.#held + piece;
    const isWhole = piece.endsWith('\n');
    this.#held = '';
    if (this.#isInLine) {
      this.#isInLine = !isWhole;
      return line;
    }
    if (isWhole) return isNotice(line) ? '' : line;
    if (mayBecomeNotice(line)) {
      this.#held = line;
      return '';
    }
    this.#isInLine = true;
    return line;
  }
}
