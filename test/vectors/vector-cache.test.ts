// The file of remembered vectors: whole or not believed, and never a reason to fail.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { VectorCache } from '../../src/vectors/index.ts';

const DIMENSION = 5;
const keyOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const vectorOf = (i: number): Float32Array =>
  Float32Array.from({ length: DIMENSION }, (_, j) => Math.sin(i * 7 + j));

let folder: string;
let path: string;
let problems: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-vectors-'));
  path = join(folder, 'vectors.bin');
  problems = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const openCache = (overrides: object = {}, at = path): VectorCache =>
  VectorCache.open(at, {
    fingerprint: 'embedder-1',
    dimension: DIMENSION,
    maxEntries: 100,
    onProblem: (why) => problems.push(why),
    ...overrides,
  });

async function saved(count: number): Promise<Buffer> {
  const cache = openCache();
  for (let i = 0; i < count; i++) cache.set(keyOf(`${i}`), vectorOf(i));
  await cache.close();
  return readFileSync(path);
}

describe('a vector cache', () => {
  it('has after a restart what it had before, in a file that nobody else can read', async () => {
    await saved(50);
    const cache = openCache();
    expect(cache.size).toBe(50);
    for (let i = 0; i < 50; i++) expect(cache.get(keyOf(`${i}`))).toEqual(vectorOf(i));
    expect(cache.get(keyOf('other'))).toBeUndefined();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['vectors.bin']);
    expect(problems).toEqual([]);
  });

  it('keeps a copy of what it is given', () => {
    const cache = openCache();
    const vector = vectorOf(1);
    cache.set(keyOf('a'), vector);
    vector.fill(0);
    expect(cache.get(keyOf('a'))).toEqual(vectorOf(1));
  });

  it('forgets what was used longest ago, also across a restart', async () => {
    const cache = openCache({ maxEntries: 3 });
    for (const i of [0, 1, 2]) cache.set(keyOf(`${i}`), vectorOf(i));
    cache.get(keyOf('0'));
    cache.set(keyOf('3'), vectorOf(3));
    await cache.close();
    const again = openCache({ maxEntries: 2 });
    const has = [0, 1, 2, 3].filter((i) => again.get(keyOf(`${i}`)));
    expect(has).toEqual([0, 3]);
    expect(problems).toEqual([]);
  });

  it('saves what is set while it saves', async () => {
    const cache = openCache();
    cache.set(keyOf('a'), vectorOf(1));
    const first = cache.flush();
    cache.set(keyOf('b'), vectorOf(2));
    await Promise.all([first, cache.flush()]);
    expect(openCache().size).toBe(2);
  });

  it('refuses keys and vectors of another form', () => {
    const cache = openCache();
    expect(() => cache.set('short', vectorOf(1))).toThrow(RangeError);
    expect(() => cache.set(keyOf('a'), new Float32Array(DIMENSION + 1))).toThrow(RangeError);
  });
});

describe('a damaged file', () => {
  it('is noticed whichever byte is wrong', async () => {
    const whole = await saved(3);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 1 << (at % 8);
      writeFileSync(path, damaged);
      problems = [];
      expect(openCache().size).toBe(0);
      expect(problems).toHaveLength(1);
    }
  });

  it('is noticed wherever it ends, and when something follows', async () => {
    const whole = await saved(3);
    for (let length = whole.length - 1; length >= 0; length--) {
      truncateSync(path, length);
      expect(openCache().size).toBe(0);
    }
    writeFileSync(path, Buffer.concat([whole, Buffer.of(0)]));
    expect(openCache().size).toBe(0);
    expect(problems).toHaveLength(whole.length + 1);
  });

  it('cannot make anybody allocate what it claims', async () => {
    const whole = await saved(3);
    whole.writeUInt32LE(2 ** 32 - 1, 16);
    writeFileSync(path, whole);
    const before = process.memoryUsage().arrayBuffers;
    expect(openCache().size).toBe(0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
    expect(problems[0]).toContain('size');
  });

  it('is replaced by the next save', async () => {
    await saved(3);
    truncateSync(path, 40);
    await saved(4);
    expect(openCache().size).toBe(4);
  });

  it('of another embedder or dimension is not used', async () => {
    await saved(3);
    expect(openCache({ fingerprint: 'embedder-2' }).size).toBe(0);
    expect(openCache({ fingerprint: 'other' }).size).toBe(0);
    expect(openCache({ dimension: DIMENSION + 1 }).size).toBe(0);
    expect(problems).toHaveLength(3);
  });
});

describe('a place where no file can be', () => {
  const isUnharmed = async (at: string): Promise<void> => {
    const cache = openCache({}, at);
    cache.set(keyOf('a'), vectorOf(1));
    await cache.flush();
    expect(problems.at(-1)).toContain('could not be saved');
    expect(cache.get(keyOf('a'))).toEqual(vectorOf(1));
    await cache.close();
  };

  it('is reported: a device, a missing folder, a file as folder, a folder', async () => {
    writeFileSync(join(folder, 'file'), 'text');
    mkdirSync(join(folder, 'folder'));
    for (const name of ['missing/vectors.bin', 'file/vectors.bin', 'folder']) {
      await isUnharmed(join(folder, name));
    }
    await isUnharmed('/dev/full');
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['file', 'folder']);
  });

  it('is reported: a folder that is read-only, or a file system that takes nothing', async () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed, { mode: 0o500 });
    // Nothing is read-only to root.
    await isUnharmed(process.getuid?.() === 0 ? '/proc/vectors.bin' : join(closed, 'vectors.bin'));
    chmodSync(closed, 0o700);
  });

  it('is reported: a disk that is full in the middle of a file, which leaves the old file', async () => {
    await saved(3);
    const script = `
      import { execFileSync } from 'node:child_process';
      import { VectorCache } from ${JSON.stringify(new URL('../../src/vectors/index.ts', import.meta.url).href)};
      const onProblem = (why) => process.stdout.write(why);
      const shape = { fingerprint: 'embedder-1', dimension: ${DIMENSION}, maxEntries: 100, onProblem };
      const cache = VectorCache.open(${JSON.stringify(path)}, shape);
      const key = (i) => i.toString(16).padStart(64, '0');
      for (let i = 0; i < 90; i++) cache.set(key(i), new Float32Array(${DIMENSION}));
      execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=1024']);
      await cache.flush();`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const said = execFileSync(process.execPath, args, { encoding: 'utf8' });
    expect(said).toContain('could not be saved');
    expect(readdirSync(folder)).toEqual(['vectors.bin']);
    expect(openCache().size).toBe(3);
  });

  it('is not found through a link', async () => {
    await saved(3);
    const link = join(folder, 'link');
    symlinkSync(path, link);
    expect(openCache({}, link).size).toBe(0);
    await isUnharmed(link);
    expect(openCache().size).toBe(3);
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling'));
    await isUnharmed(join(folder, 'dangling'));
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
  });
});
