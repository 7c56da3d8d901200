// Clients that send a head and are slow with the rest, or never send it: over raw sockets, as an attacker would.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ask, bearer, metricsOf, serveSidecar } from '../support/served.ts';
import { ScriptedRunner } from '../support/scripted-runner.ts';

const north = bearer('key-north');
const chat = { model: 'tiny', max_tokens: 4, messages: [{ role: 'user', content: 'Hi' }] };
const paths = ['/v1/chat/completions', '/v1/completions', '/kvshare/plan'];

let served: Awaited<ReturnType<typeof serveSidecar>>;
const sockets: Socket[] = [];
async function serve(overrides: Parameters<typeof serveSidecar>[1]): Promise<void> {
  served = await serveSidecar(new ScriptedRunner(), overrides);
}
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await served.sidecar.close();
});

/** Sends this much of a request and keeps what comes back. */
function begin(text: string): { readonly socket: Socket; readonly answer: () => string } {
  const { port } = new URL(served.url);
  const socket = connect(Number(port), '127.0.0.1');
  sockets.push(socket);
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.on('error', () => undefined);
  socket.write(text);
  return { socket, answer: () => answer };
}

/** Without a key; `size` is what is promised. */
const head = (path = paths[0], size = 500): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${size}\r\n\r\n`;

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await sleep(25);
  expect(condition()).toBe(true);
}

describe('a body that does not come', () => {
  it('takes no place from anybody', async () => {
    await serve({ maxInFlight: 2 });
    const slow = paths.flatMap((path) => [1, 2, 3].map(() => begin(head(path))));
    await sleep(100);
    for (const path of ['/v1/chat/completions', '/kvshare/plan']) {
      expect((await ask(served.url, path, chat, north)).status).toBe(200);
    }
    expect(slow.map(({ answer }) => answer())).toEqual(slow.map(() => ''));
  });

  it('is given up after a time that trickling does not lengthen', async () => {
    await serve({ bodyDeadlineMs: 400 });
    const start = performance.now();
    const silent = begin(head());
    const trickling = begin(head());
    const drip = setInterval(() => trickling.socket.write('{'), 50);
    await Promise.all([once(silent.socket, 'close'), once(trickling.socket, 'close')]);
    clearInterval(drip);
    expect(performance.now() - start).toBeLessThan(3_000);
    for (const { answer } of [silent, trickling]) {
      expect(answer()).toMatch(/^HTTP\/1.1 408 /);
      expect(answer()).toContain('"code":"body_timeout"');
    }
    expect(await metricsOf(served.url)).toContain('kvshare_errors_total{code="body_timeout"} 2');
  });

  it('has no end, and nobody asked for it: a refused request is not read on', async () => {
    await serve({});
    const chunked = (path: string): string =>
      `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer stolen\r\ntransfer-encoding: chunked\r\n\r\n`;
    const piece = `${(65_536).toString(16)}\r\n${' '.repeat(65_536)}\r\n`;
    for (const path of paths) {
      const { socket, answer } = begin(chunked(path));
      let sent = 0;
      const pump = (): void => {
        while (!socket.destroyed && sent < 64 * 2 ** 20) {
          sent += piece.length;
          if (!socket.write(piece)) return void socket.once('drain', pump);
        }
      };
      pump();
      // Not `once`: it rejects with the error of a write that came too late.
      await new Promise((resolve) => socket.on('close', resolve));
      expect(sent).toBeLessThan(32 * 2 ** 20);
      // What was on its way when the socket was closed can cost the answer.
      if (answer() !== '') expect(answer()).toMatch(/^HTTP\/1.1 401 [^]*connection: close/i);
    }
    // A short one costs nothing, and the connection goes on.
    const { answer } = begin(
      `${head(paths[0], 20).replace('host: x', 'host: x\r\nauthorization: Bearer stolen')}${'x'.repeat(20)}` +
        'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n',
    );
    await until(() => answer().includes('200 OK'));
    expect(answer()).toMatch(/^HTTP\/1.1 401 /);
  });

  it('is not given up when it came while we were busy with something else', async () => {
    await serve({ bodyDeadlineMs: 200 });
    const body = JSON.stringify(chat);
    const { socket, answer } = begin(head(paths[0], body.length));
    await sleep(100);
    // On its way before the deadline; this process reads no socket until long after it.
    socket.write(body);
    const busyUntil = performance.now() + 500;
    while (performance.now() < busyUntil);
    await until(() => answer() !== '');
    expect(answer()).toMatch(/^HTTP\/1.1 200 /);
  });

  it('gives way, the oldest first, when too many bytes are half read', async () => {
    const maxBodyBytes = 10_000;
    await serve({ maxBodyBytes });
    const most = 16;
    const slow = Array.from({ length: most + 2 }, () => begin(head(paths[0], maxBodyBytes)));
    // One after the other, so that it is known who was first.
    for (const { socket } of slow) {
      socket.write('x'.repeat(maxBodyBytes - 1));
      await sleep(20);
    }
    await until(() => slow.filter(({ answer }) => answer() !== '').length === 2);
    expect(slow.slice(0, 2).every(({ answer }) => answer().includes('body_timeout'))).toBe(true);
    expect((await ask(served.url, paths[0]!, chat, north)).status).toBe(200);
  });

  it('is not asked for when there is no place inside anyway', async () => {
    await serve({ maxInFlight: 0 });
    const { answer } = begin(head());
    await until(() => answer().includes('"code":"queue_full"'));
  });
});

describe('a head that does not end', () => {
  it('is given up after ten seconds, not when node looks the next time', async () => {
    await serve({});
    const start = performance.now();
    const { socket } = begin('GET /livez HTTP/1.1\r\n');
    const drip = setInterval(() => socket.write('x: y\r\n'), 200);
    await once(socket, 'close').finally(() => clearInterval(drip));
    expect(performance.now() - start).toBeLessThan(13_000);
  }, 40_000);
});

describe('a body in pieces', () => {
  it('is put together again, whatever the pieces', async () => {
    await serve({});
    const body = JSON.stringify({ ...chat, user: 'ü'.repeat(5_000) });
    const { answer } = begin(
      `POST ${paths[0]} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    const pieces = Array.from(Buffer.from(body), (byte) => Buffer.of(0x31, 13, 10, byte, 13, 10));
    sockets[0]!.write(Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]));
    await until(() => answer().startsWith('HTTP/1.1 200 '));
  });

  it('is refused when there are too many of a byte or two: each of them costs everybody time', async () => {
    await serve({});
    const { socket, answer } = begin(
      `POST ${paths[0]} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    socket.write('1\r\nx\r\n'.repeat(25_000));
    await until(() => answer().includes('too many pieces of a few bytes'));
    if (!socket.closed) await once(socket, 'close');
  });

  it('is refused as soon as it is too large, to a client that goes on sending', async () => {
    await serve({ maxBodyBytes: 50_000 });
    const { socket, answer } = begin(
      `POST ${paths[0]} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    const piece = `2710\r\n${'x'.repeat(10_000)}\r\n`;
    const send = setInterval(() => socket.write(piece), 5);
    await until(() => answer().includes('"code":"body_too_large"')).finally(() => {
      clearInterval(send);
    });
    expect(answer()).toMatch(/^HTTP\/1.1 413 /);
    if (!socket.closed) await once(socket, 'close');
  });
});
