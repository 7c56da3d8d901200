// A port that is taken is told of before a model is read or a runner started.
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { checkFree } from '../../src/listen.ts';

const main = new URL('../../src/main.ts', import.meta.url).pathname;
let busy: Server;
let port: number;

beforeAll(async () => {
  busy = createServer();
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  ({ port } = busy.address() as AddressInfo);
});
afterAll(() => void busy.close());

it.each([
  ['serve', '--port', ['--admin-port', '0']],
  ['serve', '--admin-port', ['--port', '0']],
  ['sidecar', '--port', ['--runner', 'http://127.0.0.1:9']],
  ['runner', '--port', ['--backend', 'cpu']],
])('kvshare %s: a taken %s, and nothing was begun', async (command, flag, more) => {
  // Whoever gets as far as to read a model says that there is none.
  const args = [command, flag, `${port}`, ...more, '--model', '/nowhere.gguf'];
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    env: { ...process.env, KVSHARE_ADMIN_KEY: 'an-admin-key-for-tests' },
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const status = await new Promise((resolve) => child.once('close', resolve));
  const said = `Port ${port} is in use: end what listens there, or set ${flag}.`;
  expect([status, stderr]).toEqual([1, `kvshare: port_in_use: ${said}\n`]);
});

it.each([
  ['192.0.2.1', 0, '--port', 'Cannot listen on 192.0.2.1, port 0: this machine', '--host'],
  ['nobody.invalid', 0, '--admin-port', 'Cannot listen on nobody.invalid', '--admin-host'],
])('an address that is not to be had here: %s', async (host, port, flag, said, other) => {
  const refused = checkFree([{ host, port, flag }]);
  await expect(refused).rejects.toMatchObject({
    code: 'config_invalid',
    message: expect.stringMatching(new RegExp(`^${said}.* Set ${other}\\.$`)),
  });
});

it('two listeners cannot have one port, and the check holds none', async () => {
  const address = { host: '127.0.0.1', port: 0 };
  await checkFree([address, address]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const free = { ...address, port: (server.address() as AddressInfo).port };
  await new Promise((resolve) => server.close(resolve));
  const twice = checkFree([free, { ...free, flag: '--admin-port' }]);
  await expect(twice).rejects.toMatchObject({ code: 'port_in_use' });
  await checkFree([free]);
});
