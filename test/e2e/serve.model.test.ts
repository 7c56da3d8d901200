// The real thing: `kvshare serve` as a process, its runner as another, the pinned model, the best backend.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { timedRequest } from '../../src/harness/index.ts';
import { doseGuideline, patientCards, questions, wardGuidelines } from '../../src/samples/index.ts';

const main = new URL('../../src/main.ts', import.meta.url).pathname;
let folder: string;
let child: ChildProcess;
let url: string;
let stderr = '';

const children = (pid: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return (
          readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]!.split(' ')[1] === `${pid}`
        );
      } catch {
        return false;
      }
    })
    .map(Number);

async function until(condition: () => Promise<boolean>, ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    if (await condition()) return;
    await sleep(200);
  }
  throw new Error(`did not happen within ${ms} ms; stderr: ${stderr.slice(-500)}`);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-e2e-'));
  const config = join(folder, 'kvshare.yaml');
  writeFileSync(
    config,
    'tenants:\n  - { name: northgate, keys: ["key-north"] }\n  - { name: southside, keys: ["key-south"] }\n',
  );
  const args = ['--import', 'tsx', main, 'serve', '--port', '0', '--config', config];
  child = spawn(process.execPath, [...args, '--kv-bytes', '1GiB'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await until(() => Promise.resolve(stderr.includes('ready at http')), 120_000);
  url = /ready at (http:\S+)/.exec(stderr)![1]!;
}, 180_000);

afterAll(() => {
  child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const prompt = (passages: readonly string[], question: string, card?: string) => [
  { role: 'system' as const, content: 'You are a ward assistant. Answer in one short sentence.' },
  {
    role: 'user' as const,
    content: [...(card === undefined ? [] : [card]), ...passages, question].join('\n\n'),
  },
];
const document = [...wardGuidelines.slice(0, 2), doseGuideline.before, wardGuidelines[3]!];
const askAs = (apiKey: string, messages: ReturnType<typeof prompt>, cacheControl?: string) =>
  timedRequest({
    url,
    apiKey,
    messages,
    maxTokens: 12,
    ...(cacheControl !== undefined && { cacheControl }),
  });
const north = (messages: ReturnType<typeof prompt>, cacheControl?: string) =>
  askAs('key-north', messages, cacheControl);

describe('kvshare serve', () => {
  it('speaks to the openai client on the real model', async () => {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'key-north' });
    const answer = await client.chat.completions.create({
      model: 'default',
      max_completion_tokens: 16,
      temperature: 0,
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
    });
    expect(answer.choices[0]!.message.content).toContain('Paris');
  }, 60_000);

  it('reuses across positions and users, keeps answers, and keeps tenants apart', async () => {
    const [first, second] = [questions[0]!, questions[1]!];
    const cold = await north(prompt(document, first, patientCards[0]));
    expect(cold.outcome).toMatch(/cold|exact/);
    const same = await north(prompt(document, second, patientCards[0]));
    expect(same.outcome).toBe('exact');
    const shifted = await north(prompt(document, second, patientCards[1]), 'no-store');
    expect(shifted.outcome).toBe('reused');
    expect(shifted.importedTokens).toBeGreaterThan(200);
    // An exact prefix changes nothing: the same text as without any reuse.
    const control = await north(prompt(document, second, patientCards[0]), 'bypass, no-store');
    expect(control.outcome).toBe('cold');
    expect(same.text).toBe(control.text);
    // The other tenant sends the very same text: nothing is shared, then its own is.
    const other = await askAs('key-south', prompt(document, second, patientCards[0]));
    expect([other.outcome, other.exactTokens + other.importedTokens]).toEqual(['cold', 0]);
    expect(other.text).toBe(control.text);
    const own = await askAs('key-south', prompt(document, second, patientCards[0]));
    expect(own.exactTokens).toBeGreaterThan(200);
  }, 120_000);

  it('survives kill -9 of its runner: 503, a new runner, no stale donors', async () => {
    const runner = children(child.pid!).find((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('runner'),
    )!;
    expect(runner).toBeGreaterThan(0);
    process.kill(runner, 'SIGKILL');
    await until(async () => (await fetch(`${url}/readyz`)).status === 503, 10_000);
    const down = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer key-north' },
      body: JSON.stringify({ model: 'default', prompt: 'Hi', max_tokens: 1 }),
    });
    expect(down.status).toBe(503);
    await until(async () => (await fetch(`${url}/readyz`)).status === 200, 90_000);
    const again = await north(prompt(document, questions[1]!, patientCards[0]));
    expect([again.outcome, again.exactTokens + again.importedTokens]).toEqual(['cold', 0]);
    expect((await north(prompt(document, questions[2]!, patientCards[0]))).outcome).toBe('exact');
  }, 180_000);

  it('leaves no process behind when it is told to stop', async () => {
    const pids = [child.pid!, ...children(child.pid!)];
    expect(pids.length).toBeGreaterThan(1);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGINT');
    await gone;
    // tsx's compiler service notices the end of its parent a moment later.
    const alive = (): number[] => {
      const all = execFileSync('ps', ['-eo', 'pid='], { encoding: 'utf8' });
      return pids.filter((pid) => new RegExp(`^\\s*${pid}$`, 'm').test(all));
    };
    await until(() => Promise.resolve(alive().length === 0), 3_000);
    expect(stderr).not.toContain('patient');
    // What the native library writes whenever it is loaded is for nobody.
    expect(stderr).toContain('kvshare runner on');
    expect(stderr).not.toMatch(/absl|oneDNN/);
  }, 30_000);
});
