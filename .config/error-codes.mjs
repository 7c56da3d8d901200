// Reporter: after a run of the whole suite, every error code must have been made by our code in some test. A code that
// nothing produces is dead or untested. jest-environment.mjs takes them down.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { transformSync } from '@swc/core';

async function knownCodes(root) {
  const source = readFileSync(join(root, 'src', 'errors.ts'), 'utf8');
  const { code } = transformSync(source, {
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'es6' },
  });
  const { errorTable } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  return Object.keys(errorTable);
}

export default class ErrorCodes {
  #root;
  #isWhole;
  #error;

  constructor({ rootDir, testNamePattern, testPathPatterns, shard }) {
    this.#root = rootDir;
    const patterns = testPathPatterns?.patterns ?? [];
    this.#isWhole = !testNamePattern && !shard && patterns.length === 0;
    // Before the workers start: they inherit it.
    process.env.JEST_ERROR_CODES = join(mkdtempSync(join(tmpdir(), 'kvshare-codes-')), 'codes');
  }

  async onRunComplete(contexts, results) {
    const file = process.env.JEST_ERROR_CODES;
    const made = new Set(existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []);
    rmSync(dirname(file), { recursive: true });
    if (process.env.JEST_SHOW_ERROR_CODES) console.error([...made].sort().join(' '));
    const ignoresSome = [...contexts].some(
      ({ config }) => !config.testPathIgnorePatterns.every((one) => one.includes('node_modules')),
    );
    if (!this.#isWhole || ignoresSome || results.numFailedTests > 0) return;
    const missing = (await knownCodes(this.#root)).filter((code) => !made.has(code));
    if (missing.length === 0) return;
    this.#error = new Error(`No test makes our code produce: ${missing.join(', ')}.`);
    console.error(this.#error.message);
  }

  getLastError() {
    return this.#error;
  }
}
