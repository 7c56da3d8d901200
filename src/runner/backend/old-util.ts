// tfjs-node 4.22 calls functions of node:util that Node 23 took away. It finds them again before it is loaded; nothing
// that Node has is replaced.
import util from 'node:util';

type Test = (value: unknown) => boolean;

const gone: Readonly<Record<string, Test>> = {
  isNullOrUndefined: (value) => value === null || value === undefined,
  isArray: (value) => Array.isArray(value),
};

/** `library` = what `require('util')` gives. */
export function restoreOldUtil(library: object = util): void {
  for (const [name, test] of Object.entries(gone)) {
    if (!(name in library)) Object.defineProperty(library, name, { value: test, writable: true });
  }
}
