// The dashboard in a real Chromium before a real sidecar with a tiny model. Screenshots stay in artifacts/.
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type axe from 'axe-core';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import type { ServedRequest } from '../../src/sidecar/index.ts';
import { defaultReuse } from '../../src/routes/index.ts';
import { findChromium } from '../support/chromium.ts';
import { ask, bearer, serveTiny } from '../support/served.ts';
import { ADMIN_KEY, serveAdmin } from '../support/served-admin.ts';

const chromium = findChromium();
const root = new URL('../../', import.meta.url);
const artifacts = new URL('artifacts/', root).pathname;
const axeSource = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
);

const routes = [
  { name: 'open', match: { header: { 'x-app': 'open' } }, reuse: defaultReuse, inspect: 'text' },
] as const;
const text =
  'Morphine goes twice a day, with a glass of water. Never before noon, nor at night. '.repeat(2);

let served: Awaited<ReturnType<typeof serveTiny>>;
let admin: Awaited<ReturnType<typeof serveAdmin>>;
let browser: Browser;
let sample: ServedRequest;
/** As if that request had been served. */
let tell: (request: ServedRequest) => void;

async function complete(id: string, prompt: string, app: string): Promise<void> {
  const body = { model: 'tiny', prompt, max_tokens: 2 };
  const headers = { ...bearer('key-north'), 'x-app': app, 'x-request-id': id };
  expect((await ask(served.url, '/v1/completions', body, headers)).status).toBe(200);
}

(chromium ? describe : describe.skip)('the dashboard', () => {
  beforeAll(async () => {
    mkdirSync(artifacts, { recursive: true });
    served = await serveTiny({ routes });
    const { operator } = served.sidecar;
    const tapped = new Proxy(operator, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== 'observe') {
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        }
        return (observer: typeof tell) => {
          tell = observer;
          return operator.observe((request) => {
            sample = request;
            observer(request);
          });
        };
      },
    });
    admin = await serveAdmin({ operator: tapped });
    await complete('first', `${text} First?`, 'open');
    await complete('same', `${text} Second?`, 'open');
    await complete('moved', `Another patient, another card.\n\n${text}\n\nAnd then?`, 'open');
    await complete('hidden', `Nobody is here.\n\n${text}\n\nAnd then?`, 'closed');
    browser = await puppeteer.launch({
      executablePath: chromium!,
      // As root there is no sandbox; what is opened is our own page.
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
  });
  afterAll(async () => {
    await browser.close();
    await admin.close();
    await served.close();
  });

  /** A page that remembers what went wrong on it. */
  async function open(scheme: 'light' | 'dark' = 'light'): Promise<Page & { problems: string[] }> {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('console', (line) => {
      if (line.type() === 'error' || line.type() === 'warn') problems.push(line.text());
    });
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(`${admin.url}/`)) problems.push(`asked ${request.url()}`);
      if (request.url().includes(ADMIN_KEY)) problems.push('a key in an address');
    });
    await page.setViewport({ width: 1280, height: 1400 });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await page.goto(admin.url);
    return Object.assign(page, { problems });
  }
  async function signIn(page: Page, key = ADMIN_KEY, tenantKey = ''): Promise<void> {
    await page.type('#admin-key', key);
    await page.type('#tenant-key', tenantKey);
    await page.keyboard.press('Enter');
  }
  // What runs in the page is text here: the compiler checks tests without a browser's types.
  const textOf = async (page: Page, selector: string): Promise<string> =>
    (await page.evaluate(`document.querySelector('${selector}').textContent`)) as string;
  const shows = (page: Page, selector: string, wanted: string) =>
    page.waitForFunction(
      `document.querySelector('${selector}')?.textContent.includes('${wanted}')`,
      { timeout: 10_000 },
    );
  async function inspect(page: Page, id: string): Promise<void> {
    await shows(page, '#requests', id);
    await page.click(`aria/${id}[role="button"]`);
    await shows(page, '#inspector-title', id);
  }
  async function violations(page: Page): Promise<string[]> {
    await page.evaluate(axeSource);
    const { violations: found } = (await page.evaluate(
      'axe.run(document, { resultTypes: ["violations"] })',
    )) as axe.AxeResults;
    return found.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  }

  it.each(['light', 'dark'] as const)(
    'has no console error and no axe violation, %s',
    async (scheme) => {
      const page = await open(scheme);
      expect(await violations(page)).toEqual([]);
      await page.screenshot({ path: `${artifacts}sign-in-${scheme}.png` });
      await signIn(page, ADMIN_KEY, 'key-north');
      await shows(page, '#state', 'Live: tiny');
      await inspect(page, 'moved');
      expect(await violations(page)).toEqual([]);
      await page.screenshot({ path: `${artifacts}dashboard-${scheme}.png`, fullPage: true });
      const ground = (): Promise<unknown> =>
        page.evaluate('getComputedStyle(document.body).backgroundColor');
      const before = await ground();
      await page.click('#theme');
      expect(await ground()).not.toBe(before);
      expect(await violations(page)).toEqual([]);
      expect(page.problems).toEqual([]);
      await page.browserContext().close();
    },
  );

  it('shows the numbers of the API', async () => {
    const page = await open();
    await signIn(page);
    await shows(page, '#figures', 'Hit rate');
    const { body } = await admin.call('GET /admin/stats');
    const figures = await textOf(page, '#figures');
    expect(figures).toContain(
      `Hit rate, since the start${(body.hitRate.total * 100).toFixed(1)} %`,
    );
    expect(figures).toContain(`Requests${body.requests.total}`);
    expect(await textOf(page, '#routes')).toMatch(/open.*asked/s);
    expect(await textOf(page, '#memory')).toMatch(/live.*host.*disk/s);
    expect(await textOf(page, '#times')).toContain('With reuse');
    await page.browserContext().close();
  });

  it('marks every token, shows donors beside it and why; texts only where they are allowed', async () => {
    const page = await open();
    await signIn(page, ADMIN_KEY, 'key-north');
    await inspect(page, 'moved');
    const { body } = await admin.call('GET /admin/inspect?request=moved');
    const marks = (await page.evaluate(
      `[...document.querySelectorAll('[aria-label="Prompt"] .token')].map((token) =>
        [token.className, getComputedStyle(token).textDecorationStyle])`,
    )) as [string, string][];
    expect(marks).toHaveLength(body.promptTokens as number);
    // Never by colour alone.
    const lines = new Map(marks.map(([kind, line]) => [kind, line]));
    expect(new Set(lines.values()).size).toBe(lines.size);
    expect(lines.size).toBeGreaterThan(1);
    const inspection = await textOf(page, '#inspection');
    expect(inspection).toContain('Another patient');
    expect(inspection).toMatch(/Imported from D1, tokens \d+ to \d+/);
    expect(inspection).toMatch(/Computed \((seam|changed|suffix)\)/);
    await inspect(page, 'hidden');
    expect(await textOf(page, '#inspection')).toContain('Texts are not shown');
    expect(await textOf(page, '#inspection')).not.toContain('Nobody');
    expect(page.problems).toEqual([]);
    await page.browserContext().close();
    const other = await open();
    await signIn(other, ADMIN_KEY, 'key-south');
    await inspect(other, 'moved');
    expect(await textOf(other, 'body')).not.toMatch(/Another patient|Morphine/);
    await other.browserContext().close();
  });

  it('can be used with the keyboard alone', async () => {
    const page = await open();
    const press = (key: 'Tab' | 'Enter') => page.keyboard.press(key);
    const focused = () =>
      page.evaluate('document.activeElement.id || document.activeElement.textContent');
    await press('Tab');
    expect(await focused()).toBe('Skip to the content');
    await press('Enter');
    await press('Tab');
    expect(await focused()).toBe('admin-key');
    await page.keyboard.type(ADMIN_KEY);
    await press('Tab');
    await press('Tab');
    await press('Enter');
    await shows(page, '#requests', 'moved');
    const tabUntil = async (wanted: string): Promise<void> => {
      for (let i = 0; i < 30 && (await focused()) !== wanted; i++) await press('Tab');
      expect(await focused()).toBe(wanted);
    };
    await tabUntil('pause');
    await press('Enter');
    expect(await page.$('#pause[aria-pressed="true"]')).not.toBeNull();
    await tabUntil('moved');
    await press('Enter');
    await shows(page, '#inspector-title', 'moved');
    expect(await focused()).toBe('inspector-title');
    expect(page.problems).toEqual([]);
    await page.browserContext().close();
  });

  it('refuses a wrong key, forgets the right one, and keeps neither in the address', async () => {
    const page = await open();
    await signIn(page, 'key-north');
    await shows(page, '#sign-in-problem', 'tenant’s key');
    await signIn(page);
    await shows(page, '#state', 'Live');
    await page.reload();
    await shows(page, '#state', 'Live');
    await page.click('#sign-out');
    await page.reload();
    expect(await page.$('#dashboard[hidden]')).not.toBeNull();
    expect(page.problems.filter((line) => !line.includes('403'))).toEqual([]);
    await page.browserContext().close();
  });

  it('stays usable at 1,000 requests a second', async () => {
    const page = await open();
    await signIn(page);
    await shows(page, '#state', 'Live');
    await page.evaluate(
      `var seen = { snapshots: 0 };
       new MutationObserver(() => seen.snapshots++)
         .observe(document.getElementById('figures'), { childList: true });`,
    );
    const startedAt = performance.now();
    let told = 0;
    let slowestMs = 0;
    const feeding = setInterval(() => {
      const due = Math.floor(performance.now() - startedAt);
      for (; told < due; told++) tell({ ...sample, id: `burst-${told}` });
    }, 10);
    while (performance.now() - startedAt < 4_000) {
      const since = performance.now();
      const label = await textOf(page, '#theme');
      await page.click('#theme');
      expect(await textOf(page, '#theme')).not.toBe(label);
      slowestMs = Math.max(slowestMs, performance.now() - since);
      await sleep(200);
    }
    clearInterval(feeding);
    const seconds = (performance.now() - startedAt) / 1_000;
    expect(told / seconds).toBeGreaterThan(900);
    const { snapshots } = (await page.evaluate('seen')) as { snapshots: number };
    expect(snapshots / seconds).toBeGreaterThan(0.5);
    expect(snapshots / seconds).toBeLessThan(4);
    expect(slowestMs).toBeLessThan(2_000);
    await shows(page, '#requests', 'burst-');
    expect(page.problems).toEqual([]);
    await page.browserContext().close();
  });
});

it('is small and takes nothing from elsewhere', () => {
  const folder = new URL('src/admin/page/', root);
  const names = readdirSync(folder).filter((name) => /\.(html|css|js|svg)$/.test(name));
  const sizes = names.map((name) => statSync(new URL(name, folder)).size);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(200_000);
  const elsewhere = names.flatMap((name) => {
    const text = readFileSync(new URL(name, folder), 'utf8').replaceAll(
      'http://www.w3.org/2000/svg',
      '',
    );
    return /(https?:)?\/\/[a-z0-9-]+\.[a-z]/i.exec(text)?.[0] ?? [];
  });
  expect(elsewhere).toEqual([]);
});
