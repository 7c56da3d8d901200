import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parseLine, Recorder, type RecordedRequest } from '../../src/recording/index.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-recorder-'));
  path = join(folder, 'requests.jsonl');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const fail = (why: string): never => {
  throw new Error(why);
};

const request = (tokens: readonly number[], id = 'r-1'): RecordedRequest => ({
  id,
  t_ms: 1_000,
  tenant: 'northgate',
  user: 'ann',
  route: 'ward',
  suffixStart: 1,
  plain: false,
  tokens: Int32Array.from(tokens),
  classes: Uint8Array.from(tokens, (token) => token % 3),
});

async function recorded(
  requests: readonly RecordedRequest[],
  options: { plainTokens?: boolean; maxBytes?: number } = {},
) {
  const drops: string[] = [];
  const { plainTokens = false, maxBytes = 1e6 } = options;
  const recorder = new Recorder({ path, plainTokens, maxBytes, onDrop: (why) => drops.push(why) });
  for (const one of requests) recorder.record(one);
  await recorder.close();
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  return { drops, lines, read: lines.map((line, i) => parseLine(line, `line ${i + 1}`)) };
}

describe('Recorder', () => {
  it('hides token ids and keeps what planning needs: equality, flags, the suffix', async () => {
    const { read, lines } = await recorded([
      request([7, 8, 7, 9]),
      { ...request([8, 7], 'r-2'), user: 'bob' },
    ]);
    const [first, second] = read;
    expect(first).toMatchObject({ id: 'r-1', tenant: 'northgate', route: 'ward', suffixStart: 1 });
    expect([...first!.classes]).toEqual([1, 2, 1, 0]);
    const [a, b, again, c] = first!.tokens;
    expect(again).toBe(a);
    expect(new Set([a, b, c]).size).toBe(3);
    expect([...second!.tokens]).toEqual([b, a]);
    const plain = Buffer.from(Int32Array.from([7, 8, 7, 9]).buffer).toString('base64');
    expect(lines.join('')).not.toContain(plain);
    expect([a, b, c]).not.toEqual([7, 8, 9]);
    expect(first!.plain).toBe(false);
  });

  it('hashes with another key every time', async () => {
    const [first] = (await recorded([request([5])])).read;
    rmSync(path);
    const [second] = (await recorded([request([5])])).read;
    expect(first!.tokens[0]).not.toBe(second!.tokens[0]);
  });

  it('writes plain ids only when asked, readable by the owner alone', async () => {
    const { read } = await recorded([request([7, 8])], { plainTokens: true });
    expect([...read[0]!.tokens]).toEqual([7, 8]);
    expect(read[0]!.plain).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('stops at the size limit and says so', async () => {
    const { drops, lines } = await recorded([request([1]), request([2])], { maxBytes: 200 });
    expect(lines).toHaveLength(1);
    expect(drops).toEqual(['full']);
    const again = await recorded([request([3])], { maxBytes: 200 });
    expect(again.lines).toEqual(lines);
    expect(again.drops).toEqual(['full']);
  });

  it('forgets a tenant: its lines go, also of earlier runs, those of others and later ones stay', async () => {
    const south = { ...request([2], 'r-2'), tenant: 'southside' };
    await recorded([request([1]), south]);
    appendFileSync(path, '{"half a li');
    const drops: string[] = [];
    const options = { path, plainTokens: true, maxBytes: 1e6 };
    const recorder = new Recorder({ ...options, onDrop: (why) => drops.push(why) });
    recorder.record(request([3], 'r-3'));
    const forgotten = recorder.forget('northgate');
    // It has begun, and what comes now waits for its end.
    await new Promise((resolve) => process.nextTick(resolve));
    recorder.record(request([4], 'r-4'));
    recorder.record({ ...south, id: 'r-5' });
    // What a crash has cut is nobody's.
    expect(await forgotten).toBe(2);
    await recorder.close();
    const ids = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line, at) => parseLine(line, `line ${at + 1}`).id);
    expect([ids, drops]).toEqual([['r-2', 'r-4', 'r-5'], []]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['requests.jsonl']);
    expect(await new Recorder({ ...options, path: '/dev/null', onDrop: fail }).forget('a')).toBe(0);
  });

  it('survives a disk that refuses', async () => {
    const drops: string[] = [];
    const recorder = new Recorder({
      path: '/dev/full',
      plainTokens: false,
      maxBytes: 1e6,
      onDrop: (why) => drops.push(why),
    });
    recorder.record(request([1]));
    await recorder.close();
    recorder.record(request([2]));
    expect(drops).toEqual(['failed']);
  });
});

describe('parseLine', () => {
  it.each([
    ['no', 'is not JSON'],
    ['null', 'is of no known version'],
    ['{"version":2}', 'is of no known version'],
    ['{"version":1}', 'lacks id'],
    ['{"version":1,"id":"a","tenant":"t","user":"","route":"r"}', 'has a wrong number'],
    [
      '{"version":1,"id":"a","tenant":"t","user":"","route":"r","t_ms":1,"suffixStart":0,"tokens":"AAAA","classes":"AAAA"}',
      'has broken tokens',
    ],
  ])('refuses %s', (line, problem) => {
    expect(() => parseLine(line, 'f:3')).toThrow(`f:3 ${problem}`);
  });
});
