import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadAdapter } from '../../adapters/registry.ts';
import type { AdapterOptions, Runner, StoredContext } from '../../src/protocol/index.ts';
import { runnerContract } from '../runner/runner-contract.ts';
import {
  adapterOptions,
  describeWithLlamaServer,
  startTinyLlama,
  type TinyLlama,
} from '../support/llama-server.ts';
import { collect, planOf, requestOf } from '../support/plans.ts';
import { serveTiny, tenants } from '../support/served.ts';

const never = new AbortController().signal;
const open = await loadAdapter('openai-compatible');
const text = (from: number, length: number): number[] =>
  Array.from({ length }, (_, i) => 20 + ((from * 37 + i * (from + 3)) % 200));

interface Asked {
  readonly scope?: string;
  readonly owner?: string;
  readonly store?: boolean;
  readonly donor?: StoredContext;
  readonly prefix?: number;
}

async function ask(runner: Runner, tokens: readonly number[], asked: Asked = {}) {
  const { donor, prefix = 0, ...rest } = asked;
  const { fingerprint } = await runner.info();
  const entry = { donorStart: 0, targetStart: 0, length: prefix, exact: true };
  const plan =
    donor && planOf(tokens.length, [{ ...entry, segment: donor.segment }], [], fingerprint);
  const request = requestOf(tokens, { plan: plan ?? null, sampling: { maxTokens: 3 }, ...rest });
  return collect(runner.generate(request, never));
}

const change = (change: Partial<AdapterOptions>) => (url: string) => adapterOptions([url], change);

describeWithLlamaServer('the adapter for OpenAI’s API, on llama.cpp’s server', () => {
  let server: TinyLlama;
  beforeAll(async () => (server = await startTinyLlama()));
  afterAll(() => server.close());
  const opened = (): Promise<Runner> => open(change({ sharedCache: true })(server.url));

  describe('the contract', () => {
    runnerContract(
      async () => {
        const runner = await opened();
        return { runner, close: () => runner.close() };
      },
      { sendsText: true },
    );
  });

  it('is refused where tenants cannot be kept apart, unless they need not be', async () => {
    await expect(open(adapterOptions([server.url]))).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('ignores cache_salt'),
    });
    const nobody = open(change({ sharedCache: true, serverModel: 'gpt' })(server.url));
    await expect(nobody).rejects.toThrow(/does not serve gpt/);
  });
});

describe('the adapter for OpenAI’s API, on KVShare itself', () => {
  let served: Awaited<ReturnType<typeof serveTiny>>;
  let runner: Runner;
  beforeAll(async () => {
    served = await serveTiny({ tenants });
    runner = await open(change({ key: 'key-north' })(served.url));
  });
  afterAll(async () => {
    await runner.close();
    await served.close();
  });

  it('passes on what was reused, and keeps scopes apart without naming them', async () => {
    const prompt = text(1, 120);
    const first = await ask(runner, prompt, { scope: 'tenant northgate' });
    expect(first.receipt).toMatchObject({ exactTokens: 0, recomputedTokens: 120, degraded: null });
    expect(first.receipt.unreported).toBeUndefined();
    const again = await ask(runner, [...prompt.slice(0, 100), ...text(2, 20)], {
      ...{ scope: 'tenant northgate', donor: first.stored!, prefix: 100 },
    });
    expect(again.receipt).toMatchObject({ exactTokens: 100, recomputedTokens: 20 });
    const other = await ask(runner, prompt, { scope: 'tenant southside' });
    expect(other.receipt).toMatchObject({ exactTokens: 0, recomputedTokens: 120 });
    const unstored = await ask(runner, prompt, { scope: 'tenant northgate', store: false });
    expect(unstored.receipt.exactTokens).toBe(0);
    expect(unstored.stored).toBeUndefined();
    const scopes = [...served.engine.store.contexts()].map(({ scope }) => scope).join();
    expect(scopes).not.toContain('southside');
  });

  it('sees that a server has forgotten what was planned', async () => {
    const { stored } = await ask(runner, text(3, 150));
    const fresh = text(4, 150);
    const lost = stored!;
    served.engine.store.clear();
    const { receipt } = await ask(runner, [...lost.tokens.slice(0, 140), ...fresh.slice(0, 10)], {
      ...{ donor: lost, prefix: 140, scope: 'scope-a', store: false },
    });
    expect(receipt).toMatchObject({ degraded: 'segment-evicted', exactTokens: 0 });
    expect(receipt.missingSegments).toEqual([lost.segment]);
  });
});

/** A server that answers as it is told, and says by name who was asked. */
async function scripted(
  name: string,
  asked: { name: string; body: Record<string, unknown> }[],
  usage: (body: { prompt: number[] }) => object,
) {
  const server = createServer((request, response) => {
    if (request.url === '/v1/models') {
      response.end(JSON.stringify({ data: [{ id: 'm', max_model_len: 300 }] }));
      return;
    }
    let payload = '';
    request.on('data', (chunk: Buffer) => (payload += chunk.toString()));
    request.on('end', () => {
      const body = JSON.parse(payload) as { prompt: number[] };
      asked.push({ name, body: { ...body } });
      const send = (value: object) => response.write(`data: ${JSON.stringify(value)}\n\n`);
      send({ choices: [{ text: 'Ready', finish_reason: null }] });
      send({ choices: [{ text: '.', finish_reason: 'stop' }] });
      send({ choices: [], usage: usage(body) });
      response.end('data: [DONE]\n\n');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('several servers', () => {
  const asked: { name: string; body: Record<string, unknown> }[] = [];
  const silent = ({ prompt }: { prompt: number[] }) => ({
    ...{ prompt_tokens: prompt.length, completion_tokens: 2 },
  });

  it('are asked for what they have read, and for the users that they know', async () => {
    const servers = [await scripted('a', asked, silent), await scripted('b', asked, silent)];
    const options = adapterOptions(servers.map(({ url }) => url));
    const store = { folder: null, maxBytes: 0, maxContexts: 6 };
    const runner = await open({ ...options, sharedCache: true, store });
    asked.length = 0;
    // Two at once go to different servers.
    const [one, two] = await Promise.all([
      ask(runner, text(1, 80), { owner: 'ann' }),
      ask(runner, text(2, 80), { owner: 'ben' }),
    ]);
    expect(asked.map(({ name }) => name).sort()).toEqual(['a', 'b']);
    const whoHas = (from: number) =>
      asked.find(({ body }) => (body['prompt'] as number[])[0] === text(from, 1)[0])!.name;
    asked.splice(2);
    for (const [answer, from, owner] of [
      [one, 1, 'cleo'],
      [two, 2, 'dov'],
    ] as const) {
      await ask(runner, [...text(from, 60), 5], { owner, donor: answer.stored!, prefix: 60 });
      expect(asked.at(-1)!.name).toBe(whoHas(from));
      await ask(runner, text(9, 40), { owner, scope: 'elsewhere' });
      expect(asked.at(-1)!.name).toBe(whoHas(from));
    }
    // Bounded: the oldest are forgotten.
    await ask(runner, text(10, 40));
    expect((await runner.info()).store.contexts).toBe(6);
    // Nobody said what was reused, so nobody claims it.
    expect(one.receipt).toMatchObject({ exactTokens: 0, unreported: true });
    expect(one.tokens.length).toBeGreaterThan(0);
    const salts = new Set(asked.map(({ body }) => body['cache_salt']));
    expect(salts.size).toBe(2);
    expect([...salts].join()).not.toMatch(/scope-a|elsewhere/);

    await servers[0]!.close();
    asked.length = 0;
    for (const from of [11, 12, 13]) await ask(runner, text(from, 40), { owner: `u${from}` });
    expect(asked.map(({ name }) => name)).toEqual(['b', 'b', 'b']);
    await servers[1]!.close();
    await expect(ask(runner, text(1, 40))).rejects.toMatchObject({ code: 'runner_unavailable' });
    await runner.close();
  });

  it('are refused when they do not say what they cached, or count other tokens', async () => {
    const mute = await scripted('a', asked, silent);
    await expect(open(adapterOptions([mute.url]))).rejects.toThrow(/enable-prompt-tokens-details/);
    await mute.close();
    const odd = await scripted('a', asked, (body) => ({ ...silent(body), prompt_tokens: 1 }));
    await expect(open(adapterOptions([odd.url]))).rejects.toThrow(/token ids as a prompt/);
    await odd.close();
  });
});
