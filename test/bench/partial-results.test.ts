import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PartialResults } from '../../src/bench/partial-results.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvshare-partial-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

interface Measure {
  readonly kl: number;
}
const open = (path: string, model: string) => PartialResults.open<Measure>(path, model);

describe('a run that was killed', () => {
  const exact = [{ id: 'a' }, 'exact', { seam: 16 }];
  const naive = [{ id: 'a' }, 'naive', { seam: 0 }];

  it('goes on with what it has measured, and measures again what was cut off', async () => {
    const path = join(folder, 'out.json.partial.jsonl');
    const first = await open(path, 'model-a');
    await first.add([
      [exact, { kl: 0.1 }],
      [naive, { kl: 0.2 }],
    ]);
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.slice(0, -5));

    const again = await open(path, 'model-a');
    expect(again.get(exact)).toEqual({ kl: 0.1 });
    expect(again.get(naive)).toBeUndefined();
    await again.add([[naive, { kl: 0.2 }]]);
    const third = await open(path, 'model-a');
    expect(third.get(naive)).toEqual({ kl: 0.2 });
    await third.remove();
    await expect(readFile(path)).rejects.toThrow();
  });

  it('takes nothing over from another model, case or setting', async () => {
    const path = join(folder, 'other.partial.jsonl');
    await (await open(path, 'model-a')).add([[exact, { kl: 0.1 }]]);
    expect((await open(path, 'model-b')).get(exact)).toBeUndefined();
    const again = await open(path, 'model-a');
    expect(again.get([{ id: 'b' }, 'exact', { seam: 16 }])).toBeUndefined();
    expect(again.get([{ id: 'a' }, 'exact', { seam: 8 }])).toBeUndefined();
    expect(again.get(exact)).toEqual({ kl: 0.1 });
  });

  it('keeps nothing without a file', async () => {
    const none = await PartialResults.open<Measure>(null, 'model-a');
    await none.add([[exact, { kl: 0.1 }]]);
    expect(none.get(exact)).toEqual({ kl: 0.1 });
    await none.remove();
  });
});
