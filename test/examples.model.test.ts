// The examples as they stand, against a real runner with the real model.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { postForStream, sentEvents } from '../src/harness/post-stream.ts';
import { patientCards, questions, wardGuidelines } from '../src/samples/index.ts';

const path = (name: string): string => new URL(`../${name}`, import.meta.url).pathname;
const children: ChildProcess[] = [];

/** Starts a program and waits for what it says; `found` is the first group of the pattern. */
async function start(args: readonly string[], pattern: RegExp, env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let said = '';
  const found = await new Promise<string>((resolve, reject) => {
    const listen = (chunk: Buffer): void => {
      said += chunk.toString();
      const match = pattern.exec(said);
      if (match) resolve(match[1]!);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('exit', () => reject(new Error(said.slice(-500))));
  });
  return { found, said: () => said, child };
}

/** Told to end, it ends by itself. */
async function expectToEnd(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
}

let runner: string;
beforeAll(async () => {
  const args = [path('src/main.ts'), 'runner', '--port', '0', '--kv-bytes', '512MiB'];
  ({ found: runner } = await start(args, /kvshare runner on (http:\S+)/));
}, 180_000);
afterAll(async () => {
  for (const child of children) {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  }
});

const ask = (url: string, org: string, card: number) =>
  postForStream({
    url: `${url}/v1/chat/completions`,
    headers: { 'x-org': org },
    body: {
      model: 'default',
      max_tokens: 8,
      temperature: 0,
      stream: true,
      messages: [
        {
          role: 'user',
          content: [patientCards[card], ...wardGuidelines.slice(0, 3), questions[card]].join(
            '\n\n',
          ),
        },
      ],
    },
  });

describe('02-mount-express.ts', () => {
  it('streams an answer that reuses what a colleague asked, and nothing of another organisation', async () => {
    const env = { RUNNER_URL: runner, PORT: '0' };
    const app = await start([path('examples/02-mount-express.ts')], /listening (\d+)/, env);
    const url = `http://127.0.0.1:${app.found}`;
    for (const [org, card] of [
      ['ward', 0],
      ['ward', 1],
      ['elsewhere', 1],
    ] as const) {
      const { status, pieces } = await ask(url, org, card);
      const events = [...sentEvents(pieces)];
      expect(status).toBe(200);
      expect(events.length).toBeGreaterThan(3);
    }
    const receipts = [...app.said().matchAll(/^(cold|exact|reused) (\d+)$/gm)];
    expect(receipts.map(([, outcome]) => outcome)).toEqual(['cold', 'reused', 'cold']);
    expect(Number(receipts[1]![2])).toBeGreaterThan(200);
    await expectToEnd(app.child);
  }, 120_000);
});

describe('03-mount-fastify.ts', () => {
  it('computes in full and says what would have been saved', async () => {
    const env = { RUNNER_URL: runner, PORT: '0' };
    const app = await start([path('examples/03-mount-fastify.ts')], /listening (\d+)/, env);
    const url = `http://127.0.0.1:${app.found}`;
    for (const card of [0, 1]) expect((await ask(url, 'another', card)).status).toBe(200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/kvshare_shadow_requests_total\{route="default",outcome="reused"\} 1/);
    expect(metrics).toMatch(/kvshare_requests_total\{route="default",outcome="cold"\} 2/);
    await expectToEnd(app.child);
  }, 120_000);
});
