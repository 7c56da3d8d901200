import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { ask, bearer, metricsOf, monitor, serveTiny } from '../support/served.ts';

let served: Awaited<ReturnType<typeof serveTiny>>;
beforeAll(async () => {
  served = await serveTiny();
});
afterAll(() => served.close());

const north = bearer('key-north');
const chat = (content: string, more: object = {}) => ({
  model: 'tiny',
  max_tokens: 6,
  temperature: 0,
  messages: [{ role: 'user', content }],
  ...more,
});
/** A document that is long enough, in bytes, to be worth reusing. */
const documentOf = (seed: number): string =>
  Array.from(
    { length: 6 },
    (_, i) => `Line ${seed}${i} tells how ward ${seed * 7 + i} is kept clean`,
  ).join('\n');

describe('OpenAI surface', () => {
  it('answers the openai client, whole', async () => {
    const client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: 'key-north' });
    const answer = await client.chat.completions.create({
      model: 'default',
      max_completion_tokens: 5,
      temperature: 0,
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Hello ' },
            { type: 'text', text: 'there' },
          ],
        },
      ],
    });
    expect(answer.object).toBe('chat.completion');
    expect(answer.choices[0]!.message.role).toBe('assistant');
    expect(['stop', 'length']).toContain(answer.choices[0]!.finish_reason);
    expect(answer.usage!.total_tokens).toBe(
      answer.usage!.prompt_tokens + answer.usage!.completion_tokens,
    );
    expect(answer.usage!.prompt_tokens_details!.cached_tokens).toBe(0);
    expect((await client.models.list()).data.map((m) => m.id)).toEqual(['tiny']);
    expect((await client.models.retrieve('tiny')).id).toBe('tiny');
  });

  it('streams to the openai client: role first, one id, usage at the end, same text', async () => {
    const client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: 'key-north' });
    const options = {
      model: 'tiny',
      max_completion_tokens: 12,
      temperature: 0,
      messages: [{ role: 'user' as const, content: 'Tell me something' }],
    };
    const whole = await client.chat.completions.create(options);
    const stream = await client.chat.completions.create({
      ...options,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks[0]!.choices[0]!.delta.role).toBe('assistant');
    expect(new Set(chunks.map((c) => c.id)).size).toBe(1);
    const text = chunks.map((c) => c.choices[0]?.delta.content ?? '').join('');
    expect(text).toBe(whole.choices[0]!.message.content);
    expect(chunks.at(-1)!.choices).toEqual([]);
    expect(chunks.at(-1)!.usage!.completion_tokens).toBe(whole.usage!.completion_tokens);
    expect(chunks.slice(0, -1).every((c) => c.usage === null)).toBe(true);
    expect(chunks.at(-2)!.choices[0]!.finish_reason).toBe(whole.choices[0]!.finish_reason);
  });

  it('serves plain completions and ends streams with [DONE]', async () => {
    const { body } = await ask(
      served.url,
      '/v1/completions',
      { model: 'tiny', prompt: 'Once', max_tokens: 3 },
      north,
    );
    expect(body).toMatchObject({ object: 'text_completion', choices: [{ index: 0 }] });
    const response = await fetch(`${served.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...north },
      body: JSON.stringify({ model: 'tiny', prompt: 'Once', max_tokens: 3, stream: true }),
    });
    expect(response.headers.get('content-type')).toMatch('text/event-stream');
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    const frames = (await response.text()).split('\n\n').filter(Boolean);
    expect(frames.at(-1)).toBe('data: [DONE]');
    expect(frames.every((frame) => frame.startsWith('data: '))).toBe(true);
  });

  it('cuts at stop strings, wherever token borders fall', async () => {
    const request = chat('Say it', { max_tokens: 24, temperature: 1.5, seed: 11 });
    const full: string = (await ask(served.url, '/v1/chat/completions', request, north)).body
      .choices[0].message.content;
    expect(full.length).toBeGreaterThan(8);
    const stop = full.slice(4, 7);
    const cut = await ask(served.url, '/v1/chat/completions', { ...request, stop }, north);
    expect(cut.body.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: full.slice(0, full.indexOf(stop)) },
    });
  });

  it('gives the same answer for the same seed', async () => {
    const seeded = (seed: number) =>
      ask(
        served.url,
        '/v1/chat/completions',
        chat('Dice', { temperature: 1.5, seed, max_tokens: 16 }),
        north,
      );
    const [a, b, c] = [await seeded(5), await seeded(5), await seeded(6)];
    expect(a.body.choices[0].message.content).toBe(b.body.choices[0].message.content);
    expect(a.body.choices[0].message.content).not.toBe(c.body.choices[0].message.content);
  });
});

describe('reuse through HTTP', () => {
  it('reports exact, reused and cold as the receipt confirms them, in headers and usage', async () => {
    const document = documentOf(1);
    const first = await ask(
      served.url,
      '/v1/chat/completions',
      chat(`${document}\n\nQuestion one?`),
      north,
    );
    expect(first.headers.get('x-kvshare-outcome')).toBe('exact');
    const second = await ask(
      served.url,
      '/v1/chat/completions',
      chat(`${document}\n\nAnother one?`),
      north,
    );
    const details = second.body.usage.prompt_tokens_details;
    expect(details.kvshare).toMatchObject({
      outcome: 'exact',
      policy: 'edit-closure',
      reason: 'full',
    });
    expect(details.cached_tokens).toBe(details.kvshare.exact_tokens);
    expect(details.cached_tokens).toBeGreaterThan(document.length / 2);
    expect(second.headers.get('x-kvshare-exact-tokens')).toBe(`${details.cached_tokens}`);

    const moved = await ask(
      served.url,
      '/v1/chat/completions',
      chat(`A new first line, of some length.\n\n${document}\n\nA third?`),
      north,
    );
    expect(moved.body.usage.prompt_tokens_details.kvshare.outcome).toBe('reused');
    expect(Number(moved.headers.get('x-kvshare-imported-tokens'))).toBeGreaterThan(150);
    const { kvshare } = moved.body.usage.prompt_tokens_details;
    expect(kvshare.charged_recompute).toBeCloseTo(
      kvshare.recomputed_tokens / moved.body.usage.prompt_tokens,
      10,
    );
  });

  it('obeys bypass and no-store', async () => {
    const request = chat(`${documentOf(2)}\n\nWhat?`);
    const control = (value: string) => ({ ...north, 'x-kvshare-cache-control': value });
    const outcome = async (headers: Record<string, string>) => {
      const { body } = await ask(served.url, '/v1/chat/completions', request, headers);
      return [
        body.usage.prompt_tokens_details.kvshare.outcome,
        body.usage.prompt_tokens_details.kvshare.reason,
      ];
    };
    const stored = served.engine.store.size;
    expect((await outcome(control('bypass, no-store')))[0]).toBe('cold');
    expect(await outcome(control('no-cache, no-store'))).toEqual(['cold', 'bypass']);
    expect(served.engine.store.size).toBe(stored);
    const bad = await ask(served.url, '/v1/chat/completions', request, control('sometimes'));
    expect([bad.status, bad.body.error.code]).toEqual([400, 'invalid_request']);
  });

  it('shares nothing between tenants, salts and strangers, although it shares within a tenant', async () => {
    const request = chat(`${documentOf(3)}\n\nWho?`);
    const cached = async (headers: Record<string, string>, more: object = {}) => {
      const { body } = await ask(
        served.url,
        '/v1/chat/completions',
        { ...request, ...more },
        headers,
      );
      return body.usage.prompt_tokens_details.kvshare.exact_tokens as number;
    };
    await cached(north);
    expect(await cached(north)).toBeGreaterThan(100);
    expect(await cached(bearer('key-south'))).toBeLessThan(1);
    expect(await cached(north, { cache_salt: 'mine' })).toBe(0);
    expect(await cached(north, { cache_salt: 'mine' })).toBeGreaterThan(100);
    expect(await cached({})).toBe(0);
    expect(await cached({})).toBe(0);
    expect(await cached(bearer('key-south'))).toBeGreaterThan(100);
  });

  it('explains a plan without generating and without showing text of donors', async () => {
    const document = documentOf(4);
    await ask(served.url, '/v1/chat/completions', chat(`${document}\n\nFirst?`), north);
    const dry = await ask(
      served.url,
      '/kvshare/plan',
      chat(`Some other beginning here.\n\n${document}\n\nSecond?`),
      north,
    );
    expect(dry.status).toBe(200);
    expect(dry.body).toMatchObject({ outcome: 'reused', reason: 'full', plan: { version: 1 } });
    expect(dry.body.donors).toHaveLength(2);
    // The caller's own prompt is shown, of donors nothing but numbers.
    const { donors, plan } = dry.body;
    expect(JSON.stringify({ donors, plan })).not.toContain('ward');
    const other = await ask(served.url, '/kvshare/plan', chat(document), bearer('key-south'));
    expect(other.body.donors.every((d: { tokens: number }) => d.tokens > 0)).toBe(true);
    expect(other.body.imported_tokens).toBe(0);
    const schema = (await (await fetch(`${served.url}/kvshare/plan.schema.json`)).json()) as object;
    expect(schema).toHaveProperty('properties.imports');
  });

  it('counts what happened in /metrics and shows the backend in /readyz', async () => {
    const metrics = await metricsOf(served.url);
    expect(metrics).toMatch(/kvshare_requests_total\{route="default",outcome="reused"\} [1-9]/);
    expect(metrics).toMatch(/kvshare_fail_open_total\{stage="plan"\} 0/);
    expect(metrics).toMatch(/kvshare_store_max_bytes\{tier="live"\} [1-9]/);
    expect(metrics).toMatch(/kvshare_store_moved_bytes_total\{way="toDisk"\} 0/);
    const ready = (await (await monitor(served.url, '/readyz')).json()) as object;
    expect(ready).toMatchObject({ status: 'ready', model: 'tiny', backend: { name: 'cpu' } });
    for (const path of ['/livez', '/healthz']) {
      expect((await fetch(`${served.url}${path}`)).status).toBe(200);
    }
  });
});
