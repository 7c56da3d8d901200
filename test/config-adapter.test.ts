import { describe, expect, it } from '@jest/globals';
import { parseConfigFile } from '../src/config-file.ts';
import { readSettings } from '../src/config.ts';

describe('an adapter', () => {
  const env = { SALT: 'pepper' };

  it('is read with its bounds, and named by a flag where that is given', () => {
    const file = parseConfigFile(
      'adapter: { name: llama-cpp, urls: [http://a], folder: /slots, maxMiB: 64, secret: env:SALT }',
      'file',
      env,
    );
    expect(file.adapter).toMatchObject({
      ...{ name: 'llama-cpp', urls: ['http://a'], folder: '/slots', maxBytes: 2 ** 26 },
      ...{ secret: 'pepper', key: null, maxContexts: 1000 },
    });
    expect(readSettings([], {}).adapter).toBeNull();
    expect(readSettings(['--adapter', 'openai-compatible'], {}).adapter).toMatchObject({
      name: 'openai-compatible',
      urls: [],
    });
  });

  it('never hashes with a secret that the environment does not have', () => {
    const file = parseConfigFile('adapter: { name: a, secret: env:NONE }', 'file', env);
    expect(file.adapter!.secret).toBeNull();
  });
});
