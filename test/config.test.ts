import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseBytes, readSettings } from '../src/config.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-config-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const file = (text: string): string => {
  const path = join(folder, 'kvshare.yaml');
  writeFileSync(path, text);
  return path;
};
const fromFile = (text: string, env: NodeJS.ProcessEnv = {}) =>
  readSettings(['--config', file(text)], env);

describe('readSettings', () => {
  it('lets flags win over the environment, and the environment over defaults', () => {
    expect(readSettings([], {}).port).toBe(8080);
    expect(readSettings([], { KVSHARE_PORT: '9000' }).port).toBe(9000);
    expect(readSettings(['--port', '9001'], { KVSHARE_PORT: '9000' }).port).toBe(9001);
    expect(readSettings(['--kv-bytes', '2GiB'], {}).kvBytes).toBe(2 ** 31);
  });

  it('reads tenants, keys from the environment, and thresholds', () => {
    const settings = fromFile(
      `tenants:
  - { name: northgate, keys: ["env:NORTH", "key-for-tests"] }
  - { name: southside, keys: ["env:MISSING"] }
reuse: { minRun: 48, closure: { max: 80 } }`,
      { NORTH: 'secret' },
    );
    expect(settings.tenants).toEqual([
      { name: 'northgate', keys: ['secret', 'key-for-tests'] },
      { name: 'southside', keys: [] },
    ]);
    expect(settings.reuse).toMatchObject({ minRun: 48, seam: 16, closure: { min: 32, max: 80 } });
  });

  it.each([
    ['an unknown key', 'reuze: {}', /unknown key "reuze" in the file; known keys: tenants/],
    ['an unknown threshold', 'reuse: { minrun: 4 }', /unknown key "minrun" in reuse/],
    [
      'a threshold out of range',
      'reuse: { minReuse: 2 }',
      /reuse.minReuse must be a number from 0 to 1/,
    ],
    ['an unknown policy', 'reuse: { policy: magic }', /reuse.policy must be one of off, exact/],
    [
      'one key for two tenants',
      'tenants: [{name: a, keys: [k]}, {name: b, keys: [k]}]',
      /same key/,
    ],
    ['broken YAML', 'tenants: [', /not valid YAML/],
  ])('refuses %s in one line that names the place', (_, text, message) => {
    expect(() => fromFile(text)).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    [['--port', 'x'], /--port must be a port number/],
    [['--backend', 'abacus'], /--backend must be one of auto/],
    [['--kv-bytes', 'much'], /--kv-bytes must be a size/],
    [['--prot', '1'], /--prot/],
    [['--config', '/nonexistent.yaml'], /cannot be read/],
  ])('refuses %j', (argv, message) => {
    expect(() => readSettings(argv, {})).toThrow(message);
  });

  it('reads sizes', () => {
    expect(parseBytes('1.5GiB', 'x')).toBe(1.5 * 2 ** 30);
    expect(parseBytes('1048576', 'x')).toBe(2 ** 20);
  });
});
