import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { ask, bearer, serveTiny } from '../support/served.ts';

const main = new URL('../../src/main.ts', import.meta.url).pathname;
const guideline = 'Wash both hands before you touch a dressing. Never without gloves.';

let served: Awaited<ReturnType<typeof serveTiny>>;
let folder: string;
beforeAll(async () => {
  served = await serveTiny();
  folder = mkdtempSync(join(tmpdir(), 'kvshare-warm-'));
});
afterAll(async () => {
  await served.close();
  rmSync(folder, { recursive: true });
});

const warm = (...args: string[]) =>
  promisify(execFile)(process.execPath, ['--import', 'tsx', main, 'warm', ...args]);

it('warms a guideline for the tenant of the key, and for nobody else', async () => {
  const file = join(folder, 'hands.txt');
  writeFileSync(file, `${guideline}\n`);
  const to = ['--url', served.url, '--key', 'key-north', '--json'];
  const { stdout } = await warm(file, ...to);
  const [warmed] = JSON.parse(stdout) as { file: string; tokens: number }[];
  expect(warmed).toMatchObject({ file });
  expect(warmed!.tokens).toBeGreaterThan(guideline.length);
  const first = async (key: string): Promise<number> => {
    const messages = [{ role: 'user', content: `${guideline} And then?` }];
    const body = { model: 'tiny', messages, max_tokens: 1 };
    const answer = await ask(served.url, '/v1/chat/completions', body, bearer(key));
    return answer.body.usage.prompt_tokens_details.cached_tokens as number;
  };
  expect(await first('key-north')).toBeGreaterThan(guideline.length);
  expect(await first('key-south')).toBe(0);
  await expect(warm(file, '--key', 'wrong', '--url', served.url)).rejects.toMatchObject({
    stderr: expect.stringContaining('invalid_api_key'),
  });
});

it.each<[string, string[], string]>([
  ['no file', ['--key', 'x'], 'needs files'],
  ['a file that is not there', ['/nowhere/a.txt', '--key', 'x'], 'cannot be read'],
  ['no key', [main], 'needs --key'],
  ['an unknown place', [main, '--key', 'x', '--as', 'pope'], 'system or user'],
  ['no address', [main, '--key', 'x', '--url', 'nowhere'], 'No sidecar answers at nowhere'],
  ['a key of other characters', [main, '--key', 'k€y'], 'cannot be sent in a header'],
  ['nobody there', [main, '--key', 'x', '--url', 'http://127.0.0.1:9'], 'No sidecar answers'],
])('says what is wrong: %s', async (_, args, message) => {
  await expect(warm(...args)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining(message),
  });
});
