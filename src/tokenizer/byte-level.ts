// The byte-level alphabet of GPT-2 vocabularies: each of the 256 bytes is written as one printable
// character, so that merges and tokens are plain strings without spaces. Knows nothing of merging.

const printable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

/** Byte → its character. */
export const byteCharacters: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(printable(byte) ? byte : next++),
  );
})();

const bytesByCharacter = new Map(byteCharacters.map((character, byte) => [character, byte]));

/** Text → the same bytes (UTF-8) in byte-level characters. */
export function toByteLevel(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) out += byteCharacters[byte]!;
  return out;
}

/** The bytes of one vocabulary token; a token outside the alphabet stands for its own UTF-8 text. */
export function fromByteLevel(token: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = bytesByCharacter.get(character);
    if (byte === undefined) return new Uint8Array(Buffer.from(token, 'utf8'));
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
