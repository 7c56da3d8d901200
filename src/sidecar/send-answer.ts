// Step 4: answer events → the response, whole or as server-sent events, at the client's pace.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { toErrorBody } from '../errors.ts';
import type { AnswerEvent } from './answer-events.ts';
import { sendJson } from './message.ts';
import {
  ChunkWriter,
  frame,
  provenanceHeaders,
  usageOf,
  wholeAnswer,
  type AnswerHead,
  type Provenance,
} from './openai-response.ts';
import type { Receipt } from '../protocol/index.ts';

export interface AnswerJob {
  readonly response: ServerResponse;
  readonly head: AnswerHead;
  readonly promptTokens: number;
  readonly includeUsage: boolean;
  readonly provenance: (receipt: Receipt) => Provenance;
  readonly onFirstText: () => void;
  /** Aborted when the client is gone or the deadline is over. */
  readonly signal: AbortSignal;
  /** What the client should be told about an error: a deadline looks like a broken runner from here. */
  readonly explain: (error: unknown) => unknown;
}

const KEEP_ALIVE_MS = 15_000;

export async function sendWhole(
  events: AsyncIterable<AnswerEvent>,
  job: AnswerJob,
): Promise<Provenance> {
  let provenance: Provenance | null = null;
  let text = '';
  for await (const event of events) {
    if (event.type === 'start') provenance = job.provenance(event.receipt);
    else if (event.type === 'text') {
      if (text === '') job.onFirstText();
      text += event.text;
    } else {
      const usage = usageOf(provenance!, job.promptTokens, event);
      const body = wholeAnswer(job.head, text, event.finishReason, usage);
      sendJson(job.response, 200, body, provenanceHeaders(provenance!));
    }
  }
  return provenance!;
}

/** Waits for the client when its socket is full; gives up when it is gone. */
async function write({ response, signal }: AnswerJob, text: string): Promise<void> {
  if (text === '' || response.destroyed) return;
  const hasRoom = response.write(text);
  // A compressing middleware holds events back until it is told not to.
  (response as { flush?: () => void }).flush?.();
  if (hasRoom) return;
  await once(response, 'drain', { signal }).catch(() => undefined);
}

export async function sendStream(
  events: AsyncIterable<AnswerEvent>,
  job: AnswerJob,
): Promise<Provenance> {
  const { response } = job;
  const chunks = new ChunkWriter(job.head, job.includeUsage);
  let provenance: Provenance | null = null;
  let silent = true;
  const keepAlive = setInterval(() => {
    if (response.headersSent) response.write(': keep-alive\n\n');
  }, KEEP_ALIVE_MS);
  try {
    for await (const event of events) {
      if (event.type === 'start') {
        const isOpen = provenance !== null;
        provenance = job.provenance(event.receipt);
        if (isOpen) continue;
        openStream(response, provenance);
        const opening = chunks.opening();
        // With a chunk behind it the head leaves in one packet with that, and with the first text.
        if (opening === '') response.flushHeaders();
        else await write(job, opening);
      } else if (event.type === 'text') {
        const sent = write(job, chunks.text(event.text));
        if (silent) {
          // Node would send it once nothing else is at hand to be done: what the runner keeps is at hand, for one.
          response.socket?.uncork();
          job.onFirstText();
        }
        silent = false;
        await sent;
      } else {
        const usage = usageOf(provenance!, job.promptTokens, event);
        await write(job, chunks.closing(event.finishReason, usage));
        response.end();
      }
    }
  } catch (error) {
    if (!response.headersSent) throw error;
    // A stream that has begun cannot change its status; it ends with an error and without [DONE].
    if (!response.destroyed) response.end(frame(toErrorBody(job.explain(error))));
    throw error;
  } finally {
    clearInterval(keepAlive);
  }
  return provenance!;
}

function openStream(response: ServerResponse, provenance: Provenance): void {
  response.writeHead(200, {
    ...provenanceHeaders(provenance),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    connection: 'keep-alive',
  });
}
