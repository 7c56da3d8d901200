// SIGTERM to the real process, `kvshare serve` with a tiny model: what R21 asks.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { ask, bearer } from '../support/served.ts';
import { writeTinyFile } from '../support/tiny-file.ts';

const main = new URL('../../src/main.ts', import.meta.url).pathname;
const STREAMS = 8;
const KVSHARE_ADMIN_KEY = 'an-admin-key-for-tests';

it('kvshare serve: 503 for new requests, running streams finish, exit code 0', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kvshare-drain-'));
  const model = join(folder, 'tiny.gguf');
  const config = join(folder, 'kvshare.yaml');
  writeTinyFile(model, 2048);
  writeFileSync(config, 'tenants: [{ name: a, keys: [key-a] }]\nembedder: { kind: off }\n');
  const options = [
    '--port',
    '0',
    '--admin-port',
    '0',
    '--model',
    model,
    '--config',
    config,
    '--backend',
    'cpu',
  ];
  const child = spawn(process.execPath, ['--import', 'tsx', main, 'serve', ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, KVSHARE_ADMIN_KEY },
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    for (let i = 0; i < 600 && !stderr.includes('ready at http'); i++) await sleep(100);
    const url = /ready at (http:\S+)/.exec(stderr)![1]!;
    const body = { model: 'tiny', prompt: 'Good morning', max_tokens: 120, stream: true };
    const responses = await Promise.all(
      Array.from({ length: STREAMS }, () =>
        fetch(`${url}/v1/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...bearer('key-a') },
          body: JSON.stringify(body),
        }),
      ),
    );
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const admin = /kvshare admin on (http:\S+)/.exec(stderr)![1]!;
    const stats = await fetch(`${admin}/admin/stats`, { headers: bearer(KVSHARE_ADMIN_KEY) });
    // One or another may be over already: a random model ends when it likes.
    const { inFlight, runner } = (await stats.json()) as { inFlight: number; runner: object };
    expect(runner).toMatchObject({ model: 'tiny' });
    expect(inFlight).toBeGreaterThan(0);
    expect(inFlight).toBeLessThanOrEqual(STREAMS);
    child.kill('SIGTERM');
    for (let i = 0; i < 100 && (await fetch(`${url}/readyz`)).status === 200; i++) await sleep(10);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([503, { status: 'draining' }]);
    const late = await ask(url, '/v1/completions', body, bearer('key-a'));
    expect([late.status, late.body.error.code]).toEqual([503, 'shutting_down']);
    const texts = await Promise.all(responses.map((response) => response.text()));
    for (const text of texts) expect(text).toContain('[DONE]');
    expect(await exited).toBe(0);
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});
