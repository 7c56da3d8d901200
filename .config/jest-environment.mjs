// Two things that tests need of the outer realm. First: which error codes our code really made, for error-codes.mjs.
// Second: Jest runs tests in a vm context whose typed arrays are not those of Node's own realm, so native
// addons and `instanceof Float32Array` inside TensorFlow.js disagree about them. Handing in the outer
// realm's constructors makes both sides see one set.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';
import { TestEnvironment } from 'jest-environment-node';

const shared = [
  'ArrayBuffer',
  'SharedArrayBuffer',
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
];

/** Where an error was made: the first line of its stack that is not its constructor. */
const makerOf = ({ stack }) =>
  stack.split('\n').find((line) => /^\s+at /.test(line) && !line.includes('/src/errors.ts')) ?? '';

export default class OuterRealmEnvironment extends TestEnvironment {
  #codes = new Set();
  #onError = (error) => {
    if (this.#codes.has(error.code)) return;
    // What a test throws itself proves nothing.
    if (/\/(src|adapters)\//.test(makerOf(error))) this.#codes.add(error.code);
  };

  async setup() {
    await super.setup();
    for (const name of shared) this.global[name] = globalThis[name];
    subscribe('kvshare:error', this.#onError);
  }

  async teardown() {
    unsubscribe('kvshare:error', this.#onError);
    const file = process.env.JEST_ERROR_CODES;
    if (file) appendFileSync(file, [...this.#codes, ''].join('\n'));
    await super.teardown();
  }
}
