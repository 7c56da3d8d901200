// Any server that speaks POST /v1/embeddings. Texts leave the machine for it, so it is only used when the operator
// names it. What comes back is checked like anything from outside.
import { createHash } from 'node:crypto';
import { request } from 'undici';
import { KvShareError } from '../errors.ts';
import { toUnit, type Embedder } from './embedder.ts';

export interface OpenAiEmbedderOptions {
  /** Up to and including /v1. */
  readonly url: string;
  readonly model: string;
  readonly apiKey: string | null;
  readonly timeoutMs?: number;
}

const BATCH = 64;
const MAX_RESPONSE_BYTES = 32 * 2 ** 20;
const TIMEOUT_MS = 10_000;
const MAX_DIMENSION = 8192;

/** Never carries a text or the key. */
const failed = (why: string): KvShareError =>
  new KvShareError('upstream_failed', `The embeddings server ${why}.`);

async function readBounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_RESPONSE_BYTES) throw failed('answers with too much');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function isVector(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MAX_DIMENSION &&
    value.every((x) => typeof x === 'number' && Number.isFinite(x))
  );
}

function isFreePlace(index: unknown, taken: readonly unknown[], count: number): index is number {
  return (
    Number.isInteger(index) &&
    Number(index) >= 0 &&
    Number(index) < count &&
    !(Number(index) in taken)
  );
}

/** In the order of the texts, whatever order they came in. */
function readVectors(text: string, count: number): number[][] {
  let data: unknown;
  try {
    data = (JSON.parse(text) as { data?: unknown } | null)?.data;
  } catch {
    throw failed('does not answer in JSON');
  }
  if (!Array.isArray(data) || data.length !== count) throw failed('answers with another count');
  const vectors: number[][] = [];
  for (const item of data as ({ index?: unknown; embedding?: unknown } | null)[]) {
    const index = item?.index;
    const embedding = item?.embedding;
    if (!isFreePlace(index, vectors, count) || !isVector(embedding)) {
      throw failed('answers with something else');
    }
    vectors[index] = embedding;
  }
  return vectors;
}

async function ask(
  { url, model, apiKey, timeoutMs = TIMEOUT_MS }: OpenAiEmbedderOptions,
  texts: readonly string[],
  signal?: AbortSignal,
): Promise<number[][]> {
  const timeout = AbortSignal.timeout(timeoutMs);
  let statusCode: number;
  let answer: string;
  try {
    const response = await request(`${url.replace(/\/+$/, '')}/embeddings`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(apiKey !== null && { authorization: `Bearer ${apiKey}` }),
      },
      body: JSON.stringify({ model, input: texts, encoding_format: 'float' }),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    statusCode = response.statusCode;
    answer = await readBounded(response.body);
  } catch (error) {
    if (error instanceof KvShareError) throw error;
    throw failed(timeout.aborted ? `did not answer within ${timeoutMs} ms` : 'cannot be reached');
  }
  if (statusCode !== 200) throw failed(`answers with status ${statusCode}`);
  return readVectors(answer, texts.length);
}

const digest = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 8);

/** Embeds one text to learn the dimension. Rejects with KvShareError `upstream_failed`. */
export async function openAiEmbedder(options: OpenAiEmbedderOptions): Promise<Embedder> {
  const [probe] = await ask(options, ['similarity']);
  const dimension = probe!.length;
  const embed = async (
    texts: readonly string[],
    signal?: AbortSignal,
  ): Promise<(Float32Array | null)[]> => {
    const vectors: (Float32Array | null)[] = [];
    for (let at = 0; at < texts.length; at += BATCH) {
      for (const vector of await ask(options, texts.slice(at, at + BATCH), signal)) {
        if (vector.length !== dimension) throw failed('changed its dimension');
        vectors.push(toUnit(Float32Array.from(vector)));
      }
    }
    return vectors;
  };
  return {
    // Two servers may call different models the same.
    fingerprint: `openai-${digest(options.url)}-${options.model}-${dimension}`,
    dimension,
    defaultThreshold: 0.85,
    embed,
    close: () => Promise.resolve(),
  };
}
