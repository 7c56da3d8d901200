import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { loadAdapter } from '../../adapters/registry.ts';
import type { AdapterOptions, Receipt, Runner, StoredContext } from '../../src/protocol/index.ts';
import { runnerContract } from '../runner/runner-contract.ts';
import {
  adapterOptions,
  describeWithLlamaServer,
  startTinyLlama,
  type TinyLlama,
} from '../support/llama-server.ts';
import { collect, planOf, requestOf } from '../support/plans.ts';

const never = new AbortController().signal;
const open = await loadAdapter('llama-cpp');

/** Text of its own for every `from`. */
const text = (from: number, length: number): number[] =>
  Array.from({ length }, (_, i) => 20 + ((from * 37 + i * (from + 3)) % 200));

interface Asked {
  readonly scope?: string;
  readonly store?: boolean;
  readonly donor?: StoredContext;
  /** Planned of it. */
  readonly prefix?: number;
}

async function ask(runner: Runner, tokens: readonly number[], asked: Asked = {}) {
  const { scope = 'scope-a', store = true, donor, prefix = 0 } = asked;
  const { fingerprint } = await runner.info();
  const entry = { donorStart: 0, targetStart: 0, length: prefix, exact: true };
  const plan =
    donor && planOf(tokens.length, [{ ...entry, segment: donor.segment }], [], fingerprint);
  const request = requestOf(tokens, { scope, store, plan: plan ?? null });
  return collect(runner.generate(request, never));
}

const counts = ({ exactTokens, importedTokens, recomputedTokens, degraded }: Receipt) => [
  exactTokens,
  importedTokens,
  recomputedTokens,
  degraded,
];

/** What the server itself would take of its slots for this prompt. */
async function cachedInSlots(url: string, prompt: readonly number[]): Promise<number[]> {
  const cached = [];
  for (const id_slot of [0, 1]) {
    const body = JSON.stringify({ prompt, id_slot, n_predict: 1, cache_prompt: true });
    const response = await fetch(`${url}/completion`, { method: 'POST', body });
    cached.push(((await response.json()) as { timings: { cache_n: number } }).timings.cache_n);
    await fetch(`${url}/slots/${id_slot}?action=erase`, { method: 'POST', body: '{}' });
  }
  return cached;
}

describeWithLlamaServer('the adapter for llama.cpp, on the real server', () => {
  let server: TinyLlama;
  beforeAll(async () => (server = await startTinyLlama()));
  afterAll(() => server.close());

  const opened = (overrides: Partial<AdapterOptions['store']> = {}): Promise<Runner> => {
    const options = adapterOptions([server.url]);
    return open({ ...options, store: { ...options.store, folder: server.folder, ...overrides } });
  };

  describe('the contract', () => {
    runnerContract(async () => {
      const runner = await opened();
      return { runner, close: () => runner.close() };
    });
  });

  it('keeps more contexts than it has slots, and computes what is new', async () => {
    const runner = await opened();
    const prompts = [1, 2, 3, 4, 5].map((from) => text(from, 100));
    const donors = [];
    for (const prompt of prompts) donors.push((await ask(runner, prompt)).stored!);
    expect(server.saved()).toHaveLength(3);
    for (const [at, prompt] of prompts.entries()) {
      const target = [...prompt.slice(0, 80), ...text(10 + at, 20)];
      const { receipt, tokens } = await ask(runner, target, { donor: donors[at]!, prefix: 80 });
      expect(counts(receipt)).toEqual([80, 0, 20, null]);
      // The same answer as without anything cached.
      expect(tokens).toEqual((await ask(runner, target, { store: false })).tokens);
    }
    await runner.close();
    expect(server.saved()).toEqual([]);
  });

  it('saves for this user alone, within bounds, and says what is gone', async () => {
    const runner = await opened({ maxContexts: 2 });
    const gone: string[] = [];
    const stop = new AbortController();
    const watching = (async () => {
      for await (const event of runner.watch(stop.signal)) {
        if (event.type === 'evicted') gone.push(...event.segments);
      }
    })();
    const donors = [];
    for (const from of [1, 2, 3, 4, 5, 6]) donors.push((await ask(runner, text(from, 60))).stored!);
    expect(server.saved()).toHaveLength(2);
    for (const name of server.saved()) {
      expect(statSync(join(server.folder, name)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(server.folder).mode & 0o777).toBe(0o700);
    expect((await runner.info()).store).toMatchObject({ contexts: 4, maxBytes: 2 ** 24 });
    const lost = await ask(runner, text(1, 60), { donor: donors[0]!, prefix: 40 });
    expect(counts(lost.receipt)).toEqual([0, 0, 60, 'segment-evicted']);
    expect(lost.receipt.missingSegments).toEqual([donors[0]!.segment]);
    stop.abort();
    await watching;
    expect(gone.slice(0, 2)).toEqual(donors.slice(0, 2).map(({ segment }) => segment));
    await runner.close();
  });

  it('never lets one scope go on from what another has in the slots', async () => {
    const runner = await opened({ folder: null });
    const prompt = text(1, 120);
    const { stored } = await ask(runner, prompt);
    // The slot holds it, and the server would take it: without a plan nothing is taken, whoever asks.
    for (const scope of ['scope-b', 'scope-a', 'scope-b']) {
      const { receipt } = await ask(runner, prompt, { scope, store: false });
      expect(counts(receipt)).toEqual([0, 0, 120, null]);
    }
    const stolen = { ...stored!, scope: 'scope-b' };
    await expect(
      ask(runner, prompt, { scope: 'scope-b', donor: stolen, prefix: 100 }),
    ).rejects.toMatchObject({ code: 'plan_unknown_segment' });
    // Both have the same text by now, each in a slot of its own.
    const own = (await ask(runner, prompt, { scope: 'scope-b' })).stored!;
    const mine = await ask(runner, prompt, { scope: 'scope-b', donor: own, prefix: 100 });
    expect(counts(mine.receipt)).toEqual([119, 0, 1, null]);
    await runner.close();
  });

  it('keeps nothing of a request that must not be stored, nor of one that was left', async () => {
    const runner = await opened({ folder: null });
    expect((await ask(runner, text(1, 100), { store: false })).stored).toBeUndefined();
    expect(await cachedInSlots(server.url, text(1, 100))).toEqual([0, 0]);
    const abort = new AbortController();
    const request = requestOf(text(2, 300), { sampling: { maxTokens: 150 } });
    const events = runner.generate(request, abort.signal)[Symbol.asyncIterator]();
    const first = events.next();
    abort.abort();
    await first;
    while (!(await events.next()).done);
    expect((await runner.info()).store.contexts).toBe(0);
    expect(await cachedInSlots(server.url, text(2, 300))).toEqual([0, 0]);
    // A request that is left once it was read is kept as far as it came.
    for await (const event of runner.generate(request, never)) if (event.type === 'token') break;
    const info = await runner.info();
    expect(info.requests).toEqual({ running: 0, waiting: 0 });
    expect(info.store.contexts).toBe(1);
    await runner.close();
  });

  it('gives every slot to one request at a time', async () => {
    const runner = await opened({ folder: null });
    const answers = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((from) => ask(runner, text(from, 80))),
    );
    for (const { receipt, end } of answers) {
      expect(counts(receipt)).toEqual([0, 0, 80, null]);
      expect(end).toBe('length');
    }
    expect((await runner.info()).store.contexts).toBe(2);
    await runner.close();
  });

  it('moves up what follows a cut, counts it as imported and keeps none of it', async () => {
    const runner = await opened();
    const { capabilities, fingerprint } = await runner.info();
    expect(capabilities.imports).toBe('cuts');
    const [head, gone, rest] = [text(1, 40), text(2, 40), text(3, 60)];
    const { stored } = await ask(runner, [...head, ...gone, ...rest, 5, 6]);
    const { segment } = stored!;
    const target = [...head, ...rest, 7, 8, 9];
    const imports = [
      { segment, donorStart: 0, targetStart: 0, length: 40, exact: true },
      { segment, donorStart: 80, targetStart: 40, length: 60, exact: false },
    ];
    const plan = planOf(target.length, imports, [], fingerprint);
    const answer = await collect(runner.generate(requestOf(target, { plan }), never));
    expect(counts(answer.receipt)).toEqual([40, 60, 3, null]);
    expect(answer.stored).toBeUndefined();
    // The donor is on file, whole.
    const again = await ask(runner, [...head, ...gone, 9, 9, 9], { donor: stored!, prefix: 80 });
    expect(counts(again.receipt)).toEqual([80, 0, 3, null]);
    await runner.close();
  });

  it('says that the server is gone', async () => {
    const own = await startTinyLlama({ slots: 1 });
    const problems: string[] = [];
    const onProblem = (what: string) => void problems.push(what);
    const runner = await open(adapterOptions([own.url], { onProblem }));
    const events = runner.watch(never)[Symbol.asyncIterator]();
    await events.next();
    await own.close();
    await expect(events.next()).rejects.toMatchObject({ code: 'runner_unavailable' });
    await expect(ask(runner, text(1, 40))).rejects.toMatchObject({ code: 'runner_unavailable' });
    expect(problems).toEqual(['a slot was not erased']);
    await expect(open(adapterOptions([own.url]))).rejects.toMatchObject({
      code: 'runner_unavailable',
    });
    // Back, but not as it was: it would let tenants find each other's prompts.
    const port = Number(new URL(own.url).port);
    const changed = await startTinyLlama({ slots: 1, port, extraArgs: ['--cache-ram', '64'] });
    const again = runner.watch(never)[Symbol.asyncIterator]();
    await expect(again.next()).rejects.toMatchObject({ code: 'config_invalid' });
    await changed.close();
    const back = await startTinyLlama({ slots: 1, port });
    const stop = new AbortController();
    const last = runner.watch(stop.signal)[Symbol.asyncIterator]();
    expect((await last.next()).value).toMatchObject({ type: 'hello', contexts: [] });
    stop.abort();
    expect((await last.next()).done).toBe(true);
    await back.close();
  });
});

describeWithLlamaServer('a server of llama.cpp that cannot be used as it is', () => {
  const refused = async (extraArgs: readonly string[], change: Partial<AdapterOptions> = {}) => {
    const server = await startTinyLlama({ slots: 1, extraArgs });
    try {
      const runner = await open(adapterOptions([server.url], change));
      await runner.close();
      return null;
    } catch (error) {
      return (error as Error).message;
    } finally {
      await server.close();
    }
  };

  it('is refused: it would look through all tenants’ prompts', async () => {
    expect(await refused(['--cache-ram', '64'])).toMatch(/--cache-ram 0/);
  });

  it('is refused: it saves elsewhere, or has another model', async () => {
    const elsewhere = { folder: '/tmp/kvshare-elsewhere', maxBytes: 2 ** 20, maxContexts: 2 };
    expect(await refused(['--cache-ram', '0'], { store: elsewhere })).toMatch(/the same folder/);
    const { tokenizer } = adapterOptions([]);
    const other = { ...tokenizer, encode: (given: string) => [...tokenizer.encode(given), 1] };
    expect(await refused(['--cache-ram', '0'], { tokenizer: other })).toMatch(/another model/);
  });
});

it('is asked for by a name that is known', async () => {
  await expect(loadAdapter('sglang')).rejects.toMatchObject({
    code: 'config_invalid',
    message: expect.stringContaining('llama-cpp'),
  });
});
