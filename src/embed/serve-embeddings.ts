// POST /v1/embeddings over an embedder: a slow one gets a process of its own and keeps nobody waiting. The sidecar
// reaches it like any other embeddings server (`embedder: { kind: openai, … }`).
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { KvShareError, toErrorBody } from '../errors.ts';
import { closeNow, listen, type ListenOptions } from '../listen.ts';
import type { Embedder } from './embedder.ts';

export interface EmbeddingsServer {
  readonly port: number;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 4 * 2 ** 20;
const MAX_TEXTS = 256;

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new KvShareError('body_too_large', 'The body is too large.');
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    return (value ?? {}) as Record<string, unknown>;
  } catch {
    // Without the text of the error, which may hold the text to embed.
    throw new KvShareError('invalid_json', 'The body is not valid JSON.');
  }
}

function readTexts({ input, encoding_format: format }: Record<string, unknown>): string[] {
  const texts: unknown[] = Array.isArray(input) ? input : [input];
  const isText = (text: unknown): text is string => typeof text === 'string';
  if (texts.length === 0 || texts.length > MAX_TEXTS || !texts.every(isText)) {
    const message = `input must be a text or 1 to ${MAX_TEXTS} texts.`;
    throw new KvShareError('invalid_request', message, 'input');
  }
  if (format !== undefined && format !== 'float') {
    throw new KvShareError('unsupported_parameter', 'Only float is served.', 'encoding_format');
  }
  return texts;
}

async function answer(
  embedder: Embedder,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<object> {
  const path = (request.url ?? '').split('?')[0];
  if (path === '/livez') return { status: 'ok' };
  if (path !== '/v1/embeddings') throw new KvShareError('not_found', 'No such path.');
  if (request.method !== 'POST') throw new KvShareError('method_not_allowed', 'Only POST.');
  const texts = readTexts(await readBody(request));
  const abort = new AbortController();
  response.on('close', () => abort.abort());
  const vectors = await embedder.embed(texts, abort.signal);
  const zero = (): number[] => Array.from({ length: embedder.dimension }, () => 0);
  return {
    object: 'list',
    model: embedder.fingerprint,
    data: vectors.map((vector, index) => {
      return { object: 'embedding', index, embedding: vector ? Array.from(vector) : zero() };
    }),
  };
}

/** Port 0 picks a free one. Rejects with KvShareError `port_in_use`. The embedder is closed with the server. */
export async function serveEmbeddings(
  embedder: Embedder,
  options: ListenOptions,
): Promise<EmbeddingsServer> {
  const send = (response: ServerResponse, status: number, body: object): void => {
    response.writeHead(status, {
      'content-type': 'application/json',
      // What was not read to its end must not be taken for the next request.
      ...(status === 413 && { connection: 'close' }),
    });
    response.end(JSON.stringify(body));
  };
  const server = createServer((request, response) => {
    answer(embedder, request, response).then(
      (body) => send(response, 200, body),
      (error: unknown) => {
        const status = error instanceof KvShareError ? error.status : 500;
        if (!response.destroyed) send(response, status, toErrorBody(error));
      },
    );
  });
  return {
    port: await listen(server, options),
    close: async () => {
      await closeNow(server);
      await embedder.close();
    },
  };
}
