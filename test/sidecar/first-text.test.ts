// The first text of a stream is on its way before anything else is done: what the runner keeps is entered behind it.
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import type { Receipt } from '../../src/protocol/index.ts';
import type { AnswerEvent } from '../../src/sidecar/answer-events.ts';
import { sendStream } from '../../src/sidecar/send-answer.ts';

const receipt: Receipt = {
  planId: null,
  generation: 'g1',
  exactTokens: 0,
  importedTokens: 0,
  recomputedTokens: 3,
  chargedRecompute: 1,
  degraded: null,
  missingSegments: [],
  timings: { queueMs: 0, importMs: 0, prefillMs: 0, overheadMs: 0 },
};

it('has left the process when the next event is asked for', async () => {
  const waiting: Record<string, number> = {};
  const server = createServer((_, response) => {
    async function* events(): AsyncGenerator<AnswerEvent> {
      yield { type: 'start', receipt };
      waiting['behind the head'] = response.socket!.writableLength;
      yield { type: 'text', text: 'Two' };
      waiting['behind the first text'] = response.socket!.writableLength;
      yield { type: 'text', text: ' litres' };
      yield { type: 'end', finishReason: 'stop', completionTokens: 2 };
    }
    void sendStream(events(), {
      response,
      head: { kind: 'chat', id: 'chatcmpl-1', model: 'm', created: 0 },
      promptTokens: 3,
      includeUsage: false,
      provenance: () => ({
        outcome: 'cold',
        reason: 'no-donor',
        policy: 'edit-closure',
        receipt,
        waitedMs: 0,
      }),
      onFirstText: () => undefined,
      signal: new AbortController().signal,
      explain: (error) => error,
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const body = await new Promise<string>((resolve, reject) => {
      get({ port, host: '127.0.0.1' }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve(text));
      }).on('error', reject);
    });
    expect(body).toContain('Two');
    expect(body.trimEnd().endsWith('data: [DONE]')).toBe(true);
    // Head and role wait for the text, and leave with it in one piece.
    expect(waiting['behind the head']).toBeGreaterThan(0);
    expect(waiting['behind the first text']).toBe(0);
  } finally {
    server.close();
  }
});
