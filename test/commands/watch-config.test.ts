import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { watchConfig } from '../../src/commands/watch-config.ts';
import { memoryLog } from '../support/served.ts';

let folder: string;
let path: string;
let stop: () => void;
let log: ReturnType<typeof memoryLog>;
const policies: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-watch-'));
  path = join(folder, 'kvshare.yaml');
  writeFileSync(path, 'reuse: { policy: exact }');
  policies.length = 0;
  log = memoryLog();
  stop = watchConfig(path, log, ({ reuse }) => policies.push(reuse.options.policy));
});
afterEach(() => {
  stop();
  rmSync(folder, { recursive: true });
});

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !condition(); i++) await sleep(100);
  expect(condition()).toBe(true);
}

describe('watchConfig', () => {
  it('follows a file that is replaced, keeps the old settings when the new ones are wrong', async () => {
    const next = join(folder, 'next.yaml');
    writeFileSync(next, 'reuse: { policy: legolink }');
    renameSync(next, path);
    await until(() => policies.length === 1);
    expect(policies).toEqual(['legolink']);
    writeFileSync(path, 'reuse: { polcy: off }');
    await until(() => log.lines.some((line) => line.includes('the old ones stay')));
    expect(log.lines.at(-1)).toContain('Did you mean \\"policy\\"');
    expect(policies).toEqual(['legolink']);
  });

  it('reads again on SIGHUP, and not after it was stopped', () => {
    process.emit('SIGHUP', 'SIGHUP');
    expect(policies).toEqual(['exact']);
    stop();
    expect(process.listenerCount('SIGHUP')).toBe(0);
  });

  it('reads a file once that is changed and signalled', async () => {
    writeFileSync(path, 'reuse: { policy: legolink }');
    process.emit('SIGHUP', 'SIGHUP');
    await sleep(1_300);
    expect(policies).toEqual(['legolink']);
  });

  it('has nothing to watch without a file', () => {
    const before = process.listenerCount('SIGHUP');
    watchConfig(null, log, () => undefined)();
    expect(process.listenerCount('SIGHUP')).toBe(before);
  });
});
