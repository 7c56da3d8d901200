// Deleting means everywhere: beside KV and donors, the vectors in a file and the recorded requests go.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { parseLine } from '../../src/recording/index.ts';
import { ask, bearer, serveTiny } from '../support/served.ts';
import { serveAdmin } from '../support/served-admin.ts';
import { embedText, wordEmbedder } from '../support/word-embedder.ts';

let folder: string;
let path: (name: string) => string;
let served: Awaited<ReturnType<typeof serveTiny>>;
let admin: Awaited<ReturnType<typeof serveAdmin>>;
let embedder: ReturnType<typeof wordEmbedder>;

async function start(): Promise<void> {
  embedder = wordEmbedder();
  served = await serveTiny({
    embedder,
    vectorFile: path('vectors.bin'),
    record: { path: path('requests.jsonl'), plainTokens: false, maxBytes: 1e6 },
  });
  admin = await serveAdmin(served.sidecar);
}
async function stop(): Promise<void> {
  await admin.close();
  await served.close();
}
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-deletion-'));
  path = (name) => join(folder, name);
});
afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true });
});

const passages = (word: string): string =>
  ['morning', 'noon', 'night']
    .map((when) => `${word} goes with water at ${when}, and never without a glass of it.`)
    .join('\n');

/** Resolves when its vectors are there. */
async function complete(key: string, word: string, more: object = {}): Promise<void> {
  const before = embedder.asked.length;
  const body = { model: 'tiny', max_tokens: 2, prompt: passages(word), ...more };
  expect((await ask(served.url, '/v1/completions', body, bearer(key))).status).toBe(200);
  for (let i = 0; i < 200 && embedder.asked.length === before; i++) await sleep(10);
  await sleep(20);
}

/** Of the texts that were embedded, those whose vectors are in the file. */
const kept = (texts: readonly string[]): string[] => {
  const file = readFileSync(path('vectors.bin'));
  return texts.filter((text) => file.includes(Buffer.from(embedText(text)!.buffer)));
};
const recordedTenants = (): string[] =>
  readFileSync(path('requests.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => parseLine(line, 'line').tenant);

it('a tenant: its vectors in every scope and its recorded requests go, those of others stay', async () => {
  await start();
  await complete('key-north', 'aspirin');
  await complete('key-north', 'ibuprofen', { cache_salt: 'blue' });
  const north = [...embedder.asked];
  expect(north.length).toBeGreaterThan(3);
  await complete('key-south', 'digoxin');
  const south = embedder.asked.slice(north.length);
  // A start later all of it is known of the file alone.
  await stop();
  expect(kept(north)).toEqual(north);
  expect(kept(south)).toEqual(south);
  await start();
  await complete('key-north', 'ibuprofen', { cache_salt: 'blue' });
  const dry = await admin.call('DELETE /admin/donors?tenant=northgate&dryRun=true');
  expect(dry.body).toMatchObject({ recordedRequests: 0, dryRun: true });
  expect(recordedTenants()).toContain('northgate');
  const { status, body } = await admin.call('DELETE /admin/donors?tenant=northgate');
  expect([status, body.recordedRequests]).toEqual([200, 3]);
  expect(kept(north)).toEqual([]);
  expect(kept(south)).toEqual(south);
  expect(recordedTenants()).toEqual(['southside']);
  await complete('key-north', 'aspirin');
  await stop();
  expect(recordedTenants()).toEqual(['southside', 'northgate']);
  await start();
});

it('a donor takes the vectors of its scope, a flush all of them; recorded requests stay', async () => {
  await start();
  await complete('key-north', 'aspirin');
  const north = [...embedder.asked];
  await complete('key-south', 'digoxin');
  const south = embedder.asked.slice(north.length);
  const listed = await admin.call('GET /admin/donors?tenant=northgate');
  const { donor } = listed.body.donors[0] as { donor: string };
  await admin.call('POST /admin/audit/purge', { body: { donor } });
  expect(kept(north)).toEqual([]);
  expect(kept(south)).toEqual(south);
  await admin.call('POST /admin/flush');
  expect(kept(south)).toEqual([]);
  await stop();
  expect(kept([...north, ...south])).toEqual([]);
  expect(recordedTenants()).toEqual(['northgate', 'southside']);
  await start();
});
