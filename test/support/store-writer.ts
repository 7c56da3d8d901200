// A process that stores contexts without end and says which (one seed a line), to be killed while it does.
import { loadBackend } from '../../src/runner/backend/index.ts';
import { DiskStore } from '../../src/runner/store/disk/disk-store.ts';
import { KvStore } from '../../src/runner/store/kv-store.ts';
import { blockOf, tinyLayout } from './kept-kv.ts';
import { writerTokens } from './writer-tokens.ts';

/** A disk that is shared with others keeps up with so many flushes. */
const PAUSE_MS = 20;

const [, , folder = '', first = '0'] = process.argv;
const { tf } = await loadBackend({ requested: 'cpu', cacheDir: '/nonexistent', allowBuild: false });
const disk = await DiskStore.open({
  folder,
  fingerprint: 'writer',
  onProblem: (what, error) => process.stderr.write(`${what}: ${String(error)}\n`),
});
const store = new KvStore({
  tf,
  layout: tinyLayout,
  maxBytes: 2 ** 26,
  diskBytes: 2 ** 26,
  generation: 'writer',
  disk,
  onEvict: () => undefined,
});
for (let seed = Number(first); ; seed++) {
  const tokens = writerTokens(seed);
  const { length } = tokens;
  store.put({
    context: { scope: 'all', owner: null, tokens, exactTokens: length, promptTokens: length },
    shared: [],
    makePage: () => blockOf(tf, 'all', tokens, 0),
  });
  process.stdout.write(`${seed}\n`);
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
