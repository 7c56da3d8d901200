// The admin API through real HTTP: sidecar, runner port and engine as in production, with a tiny model.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ask, bearer, monitor, serveSidecar, serveTiny } from '../support/served.ts';
import { ADMIN_KEY, serveAdmin } from '../support/served-admin.ts';
import { ScriptedRunner } from '../support/scripted-runner.ts';
import { defaultReuse } from '../../src/routes/index.ts';

const routes = [
  { name: 'open', match: { header: { 'x-app': 'open' } }, reuse: defaultReuse, inspect: 'text' },
  { name: 'keyed', match: { key: 'key-of-a-route' }, reuse: defaultReuse },
] as const;

let served: Awaited<ReturnType<typeof serveTiny>>;
let admin: Awaited<ReturnType<typeof serveAdmin>>;
beforeAll(async () => {
  served = await serveTiny({ routes });
  admin = await serveAdmin(served.sidecar);
});
afterAll(async () => {
  await admin.close();
  await served.close();
});

/** Every passage begins with another letter: nothing but itself is a prefix of it. */
const passage = (word: string): string =>
  `${word} goes twice a day, with a glass of water. Never ${word} before noon, nor at night. `;

let asked = 0;
async function complete(prompt: string, key = 'key-north', headers: Record<string, string> = {}) {
  const id = `request-${++asked}`;
  const answer = await ask(
    served.url,
    '/v1/completions',
    { model: 'tiny', prompt, max_tokens: 2 },
    { ...bearer(key), 'x-request-id': id, ...headers },
  );
  expect(answer.status).toBe(200);
  const { outcome } = answer.body.usage.prompt_tokens_details.kvshare as { outcome: string };
  return { id, outcome };
}
const donorOf = async (request: string): Promise<string> => {
  const { body } = await admin.call(`GET /admin/audit?request=${request}`);
  return body.requests[0].stored as string;
};
const donorsThere = async (): Promise<string[]> =>
  (await admin.call('GET /admin/donors?limit=1000')).body.donors.map(
    ({ donor }: { donor: string }) => donor,
  );

describe('who gets in', () => {
  it.each<[string, Record<string, string>, number, string]>([
    ['no key', {}, 401, 'invalid_api_key'],
    ['a wrong key', bearer('nobody'), 401, 'invalid_api_key'],
    ['a tenant’s key', bearer('key-north'), 403, 'forbidden'],
    ['the key by another scheme', { authorization: `Basic ${ADMIN_KEY}` }, 401, 'invalid_api_key'],
  ])('%s', async (_, headers, status, code) => {
    const paths = Object.entries(admin.document.paths).filter(([path]) => !path.endsWith('.json'));
    expect(paths.length).toBeGreaterThan(8);
    for (const [path, operations] of paths) {
      for (const method of Object.keys(operations)) {
        const answer = await fetch(`${admin.url}${path}`, {
          method: method.toUpperCase(),
          headers,
        });
        const { error } = (await answer.json()) as { error: { code: string } };
        expect([path, answer.status, error.code]).toEqual([path, status, code]);
      }
    }
  });

  it('the admin key, which opens nothing for a tenant', async () => {
    expect((await admin.call('GET /admin/guard')).status).toBe(200);
    const body = { model: 'tiny', prompt: 'Hi', max_tokens: 1 };
    const answer = await ask(served.url, '/v1/completions', body, bearer(ADMIN_KEY));
    expect(answer.status).toBe(401);
    expect((await fetch(`${served.url}/admin/donors`, { headers: bearer(ADMIN_KEY) })).status).toBe(
      404,
    );
  });
});

describe('the OpenAPI document', () => {
  it('is valid', () => {
    // In a process of its own: Jest cannot load this package, which requires ES modules.
    const script =
      "const { default: parser } = await import('@apidevtools/swagger-parser');" +
      "const { text } = await import('node:stream/consumers');" +
      'const api = await parser.validate(JSON.parse(await text(process.stdin)));' +
      'console.log(Object.keys(api.paths).length)';
    const validate = (document: object): string =>
      execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        input: JSON.stringify(document),
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'ignore'],
      });
    expect(Number(validate(admin.document))).toBe(Object.keys(admin.document.paths).length);
    expect(() => validate({ ...admin.document, openapi: '3.1.0', paths: [] })).toThrow();
  });

  it('is what wrong input is held against', async () => {
    for (const [target, body] of [
      ['GET /admin/donors?limit=none', undefined],
      ['GET /admin/donors?colour=red', undefined],
      ['GET /admin/inspect', undefined],
      ['POST /admin/donors/pin', {}],
      ['POST /admin/donors/pin', { donors: ['x'], forSeconds: -1 }],
      ['POST /admin/audit/purge', {}],
      ['POST /admin/warm', { tenant: 'nobody', prompts: [[{ role: 'user', content: 'x' }]] }],
      ['POST /admin/warm', { tenant: 'northgate', prompts: [[{ role: 'pope', content: 'x' }]] }],
      ['DELETE /admin/donors', undefined],
      ['DELETE /admin/donors?dryRun=true', undefined],
      ['PUT /admin/policy', { reuse: { minRum: 4 } }],
      ['PUT /admin/policy', { routes: [{ name: 'default', match: { path: '/x' }, reuse: {} }] }],
    ] as const) {
      const answer = await admin.call(target, { body });
      expect([target, answer.status, answer.body.error.code]).toEqual([
        target,
        400,
        'invalid_request',
      ]);
    }
    expect((await admin.call('GET /admin/inspect?request=never')).body.error.code).toBe(
      'not_found',
    );
    expect((await admin.call('GET /admin/nowhere')).status).toBe(404);
  });
});

describe('donors', () => {
  it('are listed without their text, with what they did', async () => {
    const text = passage('paracetamol');
    const first = await complete(`${text} First question?`);
    expect((await complete(`${text} Second question?`)).outcome).toBe('exact');
    const donor = await donorOf(first.id);
    const { body } = await admin.call(`GET /admin/donors?donor=${donor}`);
    expect(body).toMatchObject({
      total: 1,
      donors: [{ donor, tenant: 'northgate', hits: 1, tier: 'live', pinnedForSeconds: null }],
    });
    expect(JSON.stringify(await admin.call('GET /admin/donors'))).not.toMatch(/paracetamol/);
    const other = await admin.call('GET /admin/donors?tenant=southside');
    expect(other.body.total).toBe(0);
  });

  it('are pinned and let go', async () => {
    const donor = await donorOf((await complete(`${passage('ibuprofen')} What?`)).id);
    const pin = { body: { donors: [donor, 'never.1'], forSeconds: 60 } };
    expect((await admin.call('POST /admin/donors/pin', pin)).body).toEqual({ pinned: [donor] });
    const { body } = await admin.call(`GET /admin/donors?donor=${donor}`);
    expect(body.donors[0].pinnedForSeconds).toBeGreaterThan(30);
    const unpin = { body: { donors: [donor] } };
    expect((await admin.call('POST /admin/donors/unpin', unpin)).body).toEqual({
      unpinned: [donor],
    });
  });

  it('that are deleted are not imported any more: ask, delete, ask: cold', async () => {
    const prompt = `${passage('amoxicillin')} How often?`;
    const { id } = await complete(prompt);
    expect((await complete(prompt)).outcome).toBe('exact');
    const donor = await donorOf(id);
    const dry = await admin.call(`DELETE /admin/donors?donor=${donor}&dryRun=true`);
    expect(dry.body).toMatchObject({ donors: [donor], dryRun: true });
    expect((await complete(prompt)).outcome).toBe('exact');
    const all = await admin.call('GET /admin/donors?tenant=northgate&limit=1000');
    expect((await admin.call('DELETE /admin/donors?tenant=northgate')).body.donors).toHaveLength(
      all.body.total,
    );
    expect(await donorsThere()).toEqual([]);
    expect([served.engine.store.size, served.engine.store.bytes]).toEqual([0, 0]);
    expect((await complete(prompt)).outcome).toBe('cold');
  });

  it('are chosen by tenant, use and age', async () => {
    await admin.call('POST /admin/flush');
    const prompt = `${passage('digoxin')} How much?`;
    const north = await donorOf((await complete(prompt)).id);
    await complete(prompt);
    const south = await donorOf((await complete(prompt, 'key-south')).id);
    const chosen = async (query: string): Promise<string[]> =>
      (await admin.call(`DELETE /admin/donors?dryRun=true&${query}`)).body.donors as string[];
    expect(await chosen('tenant=southside')).toEqual([south]);
    expect(await chosen('neverUsed=true')).not.toContain(north);
    expect(await chosen('neverUsed=true&tenant=southside')).toEqual([south]);
    expect(await chosen('olderThanSeconds=3600')).toEqual([]);
    expect(await chosen('olderThanSeconds=0&tenant=southside')).toEqual([south]);
    expect(await chosen('unusedForSeconds=3600')).toEqual([]);
    expect(await chosen('unknownAncestors=true')).toEqual([]);
  });
});

describe('what an operator does', () => {
  it('is logged; a dry run as one, which nobody can pretend', async () => {
    const logged = async (target: string, body?: object): Promise<unknown[]> => {
      const before = admin.log.lines.length;
      await admin.call(target, body && { body });
      return admin.log.lines.slice(before).map((line) => JSON.parse(line) as unknown);
    };
    const donor = await donorOf((await complete(`${passage('lithium')} How long?`)).id);
    const message = 'an operator asked what would change';
    expect(await logged(`DELETE /admin/donors?donor=${donor}&dryRun=true`)).toEqual([
      { operation: 'deleteDonors', dryRun: true, message },
    ]);
    expect(await logged('POST /admin/audit/purge', { donor, dryRun: true })).toEqual([
      { operation: 'purge', dryRun: true, message },
    ]);
    const changed = { message: 'an operator changed something' };
    expect(await logged('POST /admin/audit/purge', { donor })).toEqual([
      { operation: 'purge', ...changed },
    ]);
    expect(await logged('POST /admin/flush', { dryRun: true })).toEqual([
      { operation: 'flush', ...changed },
    ]);
    expect(await logged('DELETE /admin/donors?tenant=southside&dryRun=false')).toEqual([
      { operation: 'deleteDonors', ...changed },
    ]);
    expect(await logged('GET /admin/donors')).toEqual([]);
  });
});

describe('an audit', () => {
  it('tells which donors served an answer, and purges everything that one touched', async () => {
    await admin.call('POST /admin/flush');
    const a = passage('warfarin') + passage('Warfarin of the evening');
    const b = passage('heparin');
    const wrong = await complete(`${a} What about this?`);
    const apart = await complete(`${b} What about this?`);
    // Moved text: imported, with other text in front.
    const over = await complete(`Another patient, another card. \n\n${a} \n\nAnd that?`);
    expect(over.outcome).toBe('reused');
    const [wrongDonor, apartDonor, overDonor] = await Promise.all(
      [wrong.id, apart.id, over.id].map(donorOf),
    );
    const { body } = await admin.call(`GET /admin/audit?donor=${wrongDonor}`);
    const requests = body.requests as { request: string; donors: { donor: string }[] }[];
    expect(requests.map(({ request }) => request)).toEqual([over.id, wrong.id]);
    expect(requests[0]!.donors.map(({ donor }) => donor)).toContain(wrongDonor);
    expect(JSON.stringify(body)).not.toContain('warfarin');

    const purge = (more: object) => admin.call('POST /admin/audit/purge', { body: more });
    const dry = await purge({ donor: wrongDonor, dryRun: true });
    expect(dry.body.donors.sort()).toEqual([wrongDonor, overDonor].sort());
    expect(dry.body.requests.sort()).toEqual([wrong.id, over.id].sort());
    await purge({ request: wrong.id });
    expect(await donorsThere()).toEqual([apartDonor]);
    expect((await complete(`${a} What about this?`)).outcome).toBe('cold');
    expect((await complete(`${b} What about this?`)).outcome).toBe('exact');
    expect((await purge({ donor: 'never.9' })).status).toBe(404);
    expect((await purge({ request: 'never' })).status).toBe(404);
  });
});

describe('a flush', () => {
  it('makes everything unusable at once, also what is still being computed', async () => {
    const prompt = `${passage('insulin')} When?`;
    await complete(prompt);
    const { body } = await admin.call('GET /admin/stats');
    const slow = ask(
      served.url,
      '/v1/completions',
      { model: 'tiny', prompt: `${passage('slow')} When?`, max_tokens: 40 },
      { ...bearer('key-north'), 'x-request-id': 'slow' },
    );
    for (let i = 0; i < 400; i++) {
      if (((await (await monitor(served.url, '/readyz')).json()) as any).inFlight > 0) break; // eslint-disable-line @typescript-eslint/no-explicit-any -- JSON
    }
    const flushed = await admin.call('POST /admin/flush');
    expect(flushed.body.epoch).toBe((body.epoch as number) + 1);
    await slow;
    for (let i = 0; i < 100 && served.engine.store.size > 0; i++)
      await new Promise((r) => setTimeout(r, 20));
    expect([await donorsThere(), served.engine.store.size]).toEqual([[], 0]);
    expect((await complete(prompt)).outcome).toBe('cold');
  });
});

describe('warming', () => {
  it('computes a guideline before its first user comes', async () => {
    const guideline = passage('morphine');
    const messages = (question: string) => [
      { role: 'system', content: guideline },
      { role: 'user', content: question },
    ];
    const body = { tenant: 'northgate', prompts: [messages('?')], pinForSeconds: 60 };
    const { warmed } = (await admin.call('POST /admin/warm', { body })).body;
    expect(warmed).toMatchObject([{ exactTokens: 0 }]);
    const first = await ask(
      served.url,
      '/v1/chat/completions',
      { model: 'tiny', messages: messages('How much at night?'), max_tokens: 2 },
      bearer('key-north'),
    );
    const { outcome, exact_tokens: exact } = first.body.usage.prompt_tokens_details.kvshare;
    expect([outcome, exact > guideline.length]).toEqual(['exact', true]);
    const { body: donors } = await admin.call(`GET /admin/donors?donor=${warmed[0].donor}`);
    expect(donors.donors[0].pinnedForSeconds).toBeGreaterThan(0);
    const again = (await admin.call('POST /admin/warm', { body })).body.warmed[0];
    expect(again.exactTokens).toBeGreaterThan(guideline.length);
  });
});

describe('the policy', () => {
  it('can be sent back as it was given, without showing keys', async () => {
    const before = (await admin.call('GET /admin/policy')).body;
    expect(before).toMatchObject({ source: 'defaults', file: null, isReplacedByFile: false });
    expect(JSON.stringify(before)).not.toContain('key-of-a-route');
    const put = await admin.call('PUT /admin/policy', { body: before.policy });
    expect(put.body).toEqual({ ...before, source: 'admin' });
    const { routes: now } = served.sidecar.operator.settings;
    expect(now.find(({ name }) => name === 'keyed')!.match.key).toBe('key-of-a-route');
    const renamed = { routes: [{ name: 'new', match: { key: '***' }, reuse: {} }] };
    expect((await admin.call('PUT /admin/policy', { body: renamed })).status).toBe(400);
  });

  it('takes effect with the next request', async () => {
    const { policy } = (await admin.call('GET /admin/policy')).body;
    const prompt = `${passage('ephedrine')} Why?`;
    await complete(prompt);
    await admin.call('PUT /admin/policy', { body: { ...policy, reuse: { policy: 'off' } } });
    expect((await complete(prompt)).outcome).toBe('cold');
    await admin.call('PUT /admin/policy', { body: policy });
    expect((await complete(prompt)).outcome).toBe('exact');
  });

  it('says when a file will replace it', async () => {
    const other = await serveAdmin(served.sidecar, '/etc/kvshare.yaml');
    const before = (await other.call('GET /admin/policy')).body;
    expect(before).toMatchObject({ source: 'file', isReplacedByFile: false });
    const put = await other.call('PUT /admin/policy', { body: before.policy });
    expect(put.body).toMatchObject({ source: 'admin', isReplacedByFile: true });
    served.sidecar.reload({ ...served.sidecar.operator.settings });
    expect((await other.call('GET /admin/policy')).body).toMatchObject({ source: 'file' });
    await other.close();
  });
});

describe('watching', () => {
  it('gives numbers that add up, and the guard of each route', async () => {
    const { body } = await admin.call('GET /admin/stats');
    const { hitRate, ttftMs } = body;
    const savedTokens = body.savedTokens as number;
    const requests = body.requests as Record<string, number>;
    const promptTokens = body.promptTokens as Record<string, number>;
    expect(requests['total']).toBe(requests['cold']! + requests['exact']! + requests['reused']!);
    expect(requests['total']).toBeGreaterThan(10);
    expect(promptTokens['exact']! + promptTokens['imported']!).toBe(savedTokens);
    expect(promptTokens['recomputed']! + savedTokens).toBe(promptTokens['total']!);
    expect(hitRate.total).toBeCloseTo(savedTokens / promptTokens['total']!, 6);
    expect([ttftMs.cold.count, ttftMs.reuse.count].every((count) => count > 0)).toBe(true);
    expect(ttftMs.cold.p95).toBeGreaterThanOrEqual(ttftMs.cold.p50);
    expect(body.memory.map(({ tier }: { tier: string }) => tier)).toEqual(['live', 'host', 'disk']);
    const guard = (await admin.call('GET /admin/guard')).body.routes as { route: string }[];
    expect(guard.map(({ route }) => route)).toEqual(['open', 'keyed', 'default']);
    const semantic = { reuse: { policy: 'semantic' } };
    await admin.call('PUT /admin/policy', { body: semantic });
    expect((await admin.call('GET /admin/guard')).body.routes).toEqual([
      {
        ...{ route: 'default', samples: 0, top1: null, kl: null, state: 'substitute', trips: 0 },
        tenants: { asked: 0, substitute: 0, tightened: 0, exact: 0 },
      },
    ]);
    served.sidecar.reload({ reuse: defaultReuse, routes });
  });

  it('shows texts only where the operator said so, and only to who has the tenant’s key', async () => {
    const card = 'Another patient, another card. ';
    const text = `${passage('codeine')}${passage('Codeine for children')}`;
    const prompt = (app: string) => `${card}\n\n${text}\n\n${app}`;
    await complete(`${text} First?`, 'key-north', { 'x-app': 'open' });
    const shown = await complete(prompt('open'), 'key-north', { 'x-app': 'open' });
    const hidden = await complete(prompt('closed'));
    const inspect = async (id: string, key?: string) =>
      (
        await admin.call(`GET /admin/inspect?request=${id}`, {
          headers: key === undefined ? {} : { 'x-kvshare-tenant-key': key },
        })
      ).body;
    for (const [id, key, state] of [
      [hidden.id, 'key-north', 'not-enabled'],
      [shown.id, undefined, 'needs-tenant-key'],
      [shown.id, 'key-south', 'needs-tenant-key'],
      [shown.id, ADMIN_KEY, 'needs-tenant-key'],
    ] as const) {
      const body = await inspect(id, key);
      expect([id, body.text]).toEqual([id, state]);
      expect(JSON.stringify(body)).not.toMatch(/codeine|patient/);
    }
    const body = await inspect(shown.id, 'key-north');
    expect(body).toMatchObject({ text: 'shown', outcome: 'reused' });
    const spans = body.spans as { start: number; end: number; mark: string; texts: string[] }[];
    expect(spans.flatMap(({ texts }) => texts).join('')).toBe(prompt('open'));
    expect(spans.at(-1)!.end).toBe(body.promptTokens);
    expect(new Set(spans.map(({ mark }) => mark)).size).toBeGreaterThan(1);
    const [donor] = body.compared as { texts: string[]; used: object[]; gate: string }[];
    expect(donor!.gate).toBe('imported');
    expect([donor!.texts.join('').startsWith(text), donor!.used.length > 0]).toEqual([true, true]);
    // What is deleted, or not allowed any more, is not shown any more.
    await admin.call(`DELETE /admin/donors?donor=${body.stored}`);
    expect(await inspect(shown.id, 'key-north')).toMatchObject({ text: 'gone' });
    served.sidecar.reload({ reuse: defaultReuse, routes: [] });
    expect(await inspect(shown.id, 'key-north')).toMatchObject({ text: 'not-enabled' });
    served.sidecar.reload({ reuse: defaultReuse, routes });
  });

  it('streams snapshots', async () => {
    const gone = new AbortController();
    const response = await fetch(`${admin.url}/admin/stream`, {
      headers: bearer(ADMIN_KEY),
      signal: gone.signal,
    });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    let text = '';
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString();
      if (text.split('data: ').length > 3) break;
    }
    gone.abort();
    const [first] = text.split('\n\n');
    expect(JSON.parse(first!.slice(6))).toHaveProperty('stats.requests.total');
  });
});

it('a runner whose store cannot be controlled is said to be one', async () => {
  const { sidecar } = await serveSidecar(new ScriptedRunner());
  const other = await serveAdmin(sidecar);
  expect((await other.call('GET /admin/donors')).body).toEqual({ total: 0, donors: [] });
  const answer = await other.call('DELETE /admin/donors?tenant=northgate');
  expect([answer.status, answer.body.error.code]).toEqual([501, 'runner_unable']);
  await other.close();
  await sidecar.close();
});

it('every endpoint was tried with success', () => {
  const all = Object.entries(admin.document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const others = ['GET /admin/openapi.json', 'GET /admin/stream'];
  expect([...admin.seen, ...others].sort()).toEqual(all.sort());
});
