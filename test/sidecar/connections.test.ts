// Requests sent ahead on one connection: none of them outlives it.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { serveSidecar } from '../support/served.ts';
import { receiptOf, ScriptedRunner } from '../support/scripted-runner.ts';

it('ends every request of a connection that is gone, those whose turn to answer had not come, too', async () => {
  const runner = new ScriptedRunner();
  let running = 0;
  runner.script = async function* (request, signal) {
    running++;
    yield { type: 'receipt', receipt: receiptOf(request) };
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    running--;
    yield { type: 'end', reason: 'cancelled' };
  };
  const { sidecar, url } = await serveSidecar(runner);
  const body = JSON.stringify({ model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] });
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`;
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(`${head}${body}`.repeat(20));
  try {
    for (let i = 0; i < 100 && running < 20; i++) await sleep(20);
    expect(running).toBe(20);
    socket.destroy();
    for (let i = 0; i < 100 && running > 0; i++) await sleep(10);
    expect([running, sidecar.operator.inFlight]).toEqual([0, 0]);
  } finally {
    await sidecar.close(0);
  }
});
