// Strings that nobody can guess and no text holds by chance.
const CANARY = 12;
const MARKER = 8;
/** So many characters of a secret in a row are no chance: one in 900 million. */
const FRAGMENT = 5;

const letters = 'abcdefghijklmnopqrstuvwxyz';
const upper = letters.toUpperCase();

const pick = (random: () => number, alphabet: string, length: number): string =>
  Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]!).join('');

/** What a donor must not give away. */
export const secretFrom = (random: () => number): string =>
  pick(random, `${letters}${upper}0123456789`, CANARY);

/** What an attacker wants to read in others' answers. */
export const markerFrom = (random: () => number): string => pick(random, upper, MARKER);

/** Whether a part of the secret stands in the text. */
export function hasFragment(text: string, secret: string): boolean {
  for (let at = 0; at + FRAGMENT <= secret.length; at++) {
    if (text.includes(secret.slice(at, at + FRAGMENT))) return true;
  }
  return false;
}
