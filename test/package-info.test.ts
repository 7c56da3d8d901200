// What the package says of itself where it is not a package any more.
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { packageInfo } from '../src/package-info.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-bundle-'));
  copyFileSync(new URL('../src/package-info.ts', import.meta.url), join(folder, 'package-info.ts'));
  const script =
    "const { packageInfo } = await import('./package-info.ts'); console.log(packageInfo().version)";
  writeFileSync(join(folder, 'ask.mts'), script);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** As a bundle: nothing of ours lies above it. */
const versionThere = (): string => {
  const loader = import.meta.resolve('tsx');
  const args = ['--import', loader, join(folder, 'ask.mts')];
  return execFileSync(process.execPath, args, { cwd: folder, timeout: 20_000 }).toString().trim();
};

it('is read from its own package', () => {
  expect(packageInfo().name).toBe('kvshare');
  expect(packageInfo().version).toMatch(/^\d+\.\d+\.\d+/);
});

it('knows no version without a package.json, nor with that of somebody else', () => {
  expect(versionThere()).toBe('unknown');
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'an-app', version: '7.7.7' }));
  expect(versionThere()).toBe('unknown');
});
