// tfjs-node 4.22 calls functions of node:util that Node 22 warns of and Node 23 took away. It finds them, silent, before
// it is loaded; they do what they always did.
import util from 'node:util';

type Test = (value: unknown) => boolean;

const old: Readonly<Record<string, Test>> = {
  isNullOrUndefined: (value) => value === null || value === undefined,
  isArray: (value) => Array.isArray(value),
};

/** `library` = what `require('util')` gives. */
export function restoreOldUtil(library: object = util): void {
  for (const [name, value] of Object.entries(old)) {
    Object.defineProperty(library, name, { value, writable: true, configurable: true });
  }
}
