// The drill with the real model: spoiled KV trips the guard, and a sound store brings the route back.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { DrillReport } from '../../src/drill/index.ts';

describe('kvshare drill --poison', () => {
  it('trips on spoiled KV within a few requests and comes back once the store is sound', async () => {
    const args = ['--import', 'tsx', 'src/main.ts', 'drill', '--poison', '--json'];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as DrillReport;
    const [sound, spoiled, again] = report.phases;
    expect(report).toMatchObject({ tripped: true, reopened: true });
    expect(sound).toMatchObject({ rung: 'asked', trips: 0 });
    expect(sound!.worstKl).toBeLessThan(0.03);
    expect(spoiled!.worstKl).toBeGreaterThan(0.1);
    expect(spoiled).toMatchObject({ rung: 'tightened', trips: 1 });
    expect(spoiled!.requests).toBeLessThanOrEqual(8);
    // By comparisons with what the rung above would have done.
    expect(again!.compared).toBeGreaterThanOrEqual(20);
  }, 300_000);
});
