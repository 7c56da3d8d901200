import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { explainCommand } from '../../src/commands/explain-command.ts';
import { formatExplanation, type Explanation } from '../../src/commands/format-explanation.ts';
import { defaultReuse, readReuse } from '../../src/routes/index.ts';
import { ask, bearer, serveTiny } from '../support/served.ts';

type Served = Awaited<ReturnType<typeof serveTiny>>;
let served: Served;
beforeAll(async () => {
  served = await serveTiny({ reuse: { minReuse: 0.1 } });
});
afterAll(() => served.close());

const guideline = 'Wash both hands before you touch the dressing of a patient. '.repeat(6);
const body = (card: string, question: string) => ({
  model: 'tiny',
  max_tokens: 2,
  messages: [{ role: 'user', content: `${card}\n\n${guideline}\n\n${question}` }],
});
const plan = async (
  request: object,
  headers: Record<string, string> = {},
): Promise<Explanation> => {
  const answer = await ask(served.url, '/kvshare/plan', request, {
    ...bearer('key-north'),
    ...headers,
  });
  expect(answer.status).toBe(200);
  return answer.body as Explanation;
};

describe('POST /kvshare/plan', () => {
  it('marks every token, names donors with their gates, and sets the real time beside the predicted', async () => {
    const first = body('Card: Ada, bed 4, fever.', 'What comes first?');
    const second = body('Card: Bo, bed 7, a long night behind him.', 'And then?');
    await ask(served.url, '/v1/chat/completions', first, bearer('key-north'));
    const before = await plan(second);
    expect(before).toMatchObject({ route: 'default', outcome: 'reused', last_run: null });
    // Every token once, in order; the marks add up to the counters.
    let at = 0;
    const counted = { exact: 0, imported: 0, recomputed: 0 };
    for (const { start, end, mark } of before.spans) {
      expect(start).toBe(at);
      counted[mark] += end - start;
      at = end;
    }
    expect(at).toBe(before.prompt_tokens);
    expect(counted.recomputed).toBe(before.recomputed_tokens);
    expect(counted.exact).toBe(before.exact_tokens);
    expect(before.spans.map(({ text }) => text).join('')).toContain('Card: Bo, bed 7');
    expect(before.donors[0]).toMatchObject({ gate: 'imported', similarity: null });
    expect(before.donors[0]!.overlap).toBeGreaterThan(0.5);
    expect(before.first_divergence!.at).toBe(before.exact_tokens);
    // Of the donor only its name comes back.
    expect(JSON.stringify(before)).not.toContain('Ada');

    await ask(served.url, '/v1/chat/completions', second, bearer('key-north'));
    const after = await plan(second);
    expect(after.last_run).toMatchObject({ outcome: 'reused', ttft_ms: expect.any(Number) });
  });

  it('says which gate refused a donor', async () => {
    const request = body('Card: Cy, bed 9, with a letter from home.', 'What now?');
    const refused = await plan(request, { 'x-kvshare-min-similarity': '0.99' });
    expect(refused).toMatchObject({ reason: 'low-similarity' });
    expect(refused.donors.map(({ gate }) => gate)).toContain('below-min-similarity');
    const bypassed = await plan(request, { 'x-kvshare-cache-control': 'bypass' });
    expect(bypassed).toMatchObject({ outcome: 'cold', reason: 'bypass', donors: [] });
  });

  it('shows another tenant nothing', async () => {
    const request = body('Card: Di, bed 2.', 'What now?');
    const other = await plan(request, bearer('key-south'));
    expect(other).toMatchObject({ outcome: 'cold', donors: [] });
  });
});

describe('kvshare explain', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kvshare-explain-'));
  const file = join(folder, 'request.json');
  afterAll(() => rmSync(folder, { recursive: true }));
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ['--import', 'tsx', main, 'explain', ...args], {
      encoding: 'utf8',
    });

  it('is one screen that says what, why and whence', () => {
    const explanation: Explanation = {
      prompt_tokens: 60,
      route: 'ward',
      options: { policy: 'edit-closure' },
      outcome: 'reused',
      reason: 'full',
      exact_tokens: 10,
      imported_tokens: 40,
      recomputed_tokens: 20,
      predicted_ms: 120.4,
      cold_ms: 800,
      vector_match: null,
      learned: { paused: true, medianSavedMs: -3 },
      guard: { rung: 'substitute', tried: { rung: 'asked', samples: 12, needed: 50 } },
      last_run: { outcome: 'reused', ttft_ms: 130 },
      first_divergence: { at: 10, text: ' bed' },
      donors: [{ segment: 'g.1', tokens: 70, similarity: 0.91, overlap: 0.8, gate: 'imported' }],
      edits: [{ start: 12, kinds: ['number'], text: 'give 8 mg' }],
      spans: [
        { start: 0, end: 10, mark: 'exact', reason: null, text: 'Hello' },
        { start: 10, end: 60, mark: 'recomputed', reason: 'changed', text: ' bed' },
      ],
    };
    const plain = formatExplanation(explanation, false);
    for (const part of [
      'route ward, policy edit-closure: reused (full)',
      '60 tokens: 10 exact, 40 imported, 20 computed',
      'expected after 120 ms, cold 800 ms; last time 130 ms',
      'paused on this route',
      'served as "substitute"; of "asked" 12 of 50 comparisons',
      'from token 10: " bed"',
      '0.91     80 %   imported',
      'changes meaning (number)',
      '[=|Hello][!changed| bed]',
    ]) {
      expect(plain).toContain(part);
    }
    expect(formatExplanation(explanation, true)).toContain('\u001b[32mHello');
  });

  it('sends the headers that decide about the route, and the stricter threshold', async () => {
    const reuse = readReuse({ policy: 'exact' }, defaultReuse);
    const routes = [{ name: 'ward', match: { header: { 'x-app': 'ward' } }, reuse }];
    const withRoute = await serveTiny({ routes });
    const written: string[] = [];
    const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
    try {
      writeFileSync(file, JSON.stringify(body('Card: Eve, bed 1.', 'What now?')));
      const flags = [file, '--url', withRoute.url, '--key', 'key-north'];
      await explainCommand(flags);
      await explainCommand([...flags, '--header', 'x-app: ward']);
      await explainCommand([...flags, '--header', 'x-kvshare-cache-control:bypass']);
    } finally {
      write.mockRestore();
      await withRoute.close();
    }
    const [plain, ward, bypassed] = written;
    expect(plain).toContain('route default, policy edit-closure');
    expect(ward).toContain('route ward, policy exact');
    expect(bypassed).toContain('cold (bypass)');
  });

  it('ends with one line when nobody answers, or the file is no JSON', () => {
    writeFileSync(file, '{}');
    const nobody = run(file, '--url', 'http://127.0.0.1:9');
    expect(nobody.status).toBe(1);
    expect(nobody.stderr).toMatch(/^kvshare: config_invalid: No sidecar answers/);
    writeFileSync(file, '{');
    expect(run(file).stderr).toMatch(/cannot be read as JSON/);
    expect(run().stderr).toMatch(/needs a file/);
    writeFileSync(file, '{}');
    expect(run(file, '--header', 'x-app').stderr).toMatch(/--header x-app is not NAME:VALUE/);
    expect(run(file, '--header', 'x app:1').stderr).toMatch(/--header x app:1 cannot be sent/);
  });
});
