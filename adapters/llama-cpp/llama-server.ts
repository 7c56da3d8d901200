// What llama.cpp's server is asked: its shape, its slots, completions of token ids. Its answers are checked here, so that
// everybody else can rely on them.
import { KvShareError } from '../../src/errors.ts';
import type { SamplingOptions } from '../../src/protocol/index.ts';
import { Http } from '../kit/http.ts';

export interface ServerShape {
  readonly slots: number;
  readonly contextPerSlot: number;
  readonly vocabSize: number;
  readonly build: string;
}

/** Of one answer, as the server says. */
export interface ServerTimings {
  /** Prompt tokens that it took from its cache, and that it computed. */
  readonly cachedTokens: number;
  readonly promptTokens: number;
  readonly promptMs: number;
}

export interface CompletionChunk {
  readonly tokens: readonly number[];
  readonly timings: ServerTimings;
  /** Null = more to come. */
  readonly end: 'stop' | 'length' | null;
}

export interface Completion {
  readonly slot: number;
  readonly tokens: readonly number[];
  readonly sampling: SamplingOptions;
  readonly maxTokens: number;
  /** False = whatever the slot holds is thrown away. */
  readonly usesCache: boolean;
  /** Shortest stretch behind a cut that moves up; 0 = none does. */
  readonly closeCutsFrom: number;
}

const odd = (what: string): KvShareError =>
  new KvShareError('runner_failed', `llama.cpp's server does not say ${what}.`);

function count(value: unknown, what: string): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw odd(what);
}

const fieldsOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

function timingsOf(value: unknown): ServerTimings {
  const timings = fieldsOf(value);
  return {
    cachedTokens: count(timings['cache_n'], 'what it took from its cache'),
    promptTokens: count(timings['prompt_n'], 'how many tokens it computed'),
    promptMs: count(timings['prompt_ms'], 'how long it computed'),
  };
}

function chunkOf(event: Record<string, unknown>): CompletionChunk {
  if (event['error'] !== undefined) {
    const { message } = fieldsOf(event['error']);
    throw new KvShareError('runner_failed', `llama.cpp's server failed: ${String(message)}`);
  }
  const tokens = event['tokens'];
  if (!Array.isArray(tokens)) throw odd('which tokens it wrote');
  const end = event['stop_type'] === 'limit' ? 'length' : 'stop';
  return {
    tokens: tokens as number[],
    timings: timingsOf(event['timings']),
    end: event['stop'] === true ? end : null,
  };
}

function bodyOf({ sampling, ...completion }: Completion): object {
  return {
    prompt: completion.tokens,
    id_slot: completion.slot,
    cache_prompt: completion.usesCache,
    n_cache_reuse: completion.closeCutsFrom,
    n_predict: completion.maxTokens,
    stream: true,
    return_tokens: true,
    timings_per_token: true,
    samplers: ['temperature', 'top_p'],
    temperature: sampling.temperature,
    top_p: sampling.topP,
    // It reads 32 bits.
    seed: sampling.seed >>> 0,
  };
}

export class LlamaServer {
  readonly #http: Http;

  constructor(url: string, key: string | null) {
    this.#http = new Http({ url, key });
  }

  /** Throws `runner_unavailable` while it does not answer or still loads its model. */
  async health(): Promise<void> {
    await this.#http.json({ method: 'GET', path: '/health', signal: AbortSignal.timeout(5_000) });
  }

  async shape(): Promise<ServerShape> {
    const props = fieldsOf(await this.#http.json({ method: 'GET', path: '/props' }));
    const models = fieldsOf(await this.#http.json({ method: 'GET', path: '/v1/models' }));
    const [model] = Array.isArray(models['data']) ? (models['data'] as unknown[]) : [];
    const build = props['build_info'];
    return {
      slots: count(props['total_slots'], 'how many slots it has'),
      contextPerSlot: count(
        fieldsOf(props['default_generation_settings'])['n_ctx'],
        'how long a context may be',
      ),
      vocabSize: count(fieldsOf(fieldsOf(model)['meta'])['n_vocab'], 'how large its vocabulary is'),
      build: typeof build === 'string' ? build : 'unknown build',
    };
  }

  async tokenize(text: string): Promise<readonly number[]> {
    const body = { content: text, add_special: false, parse_special: false };
    const answer = await this.#http.json({ method: 'POST', path: '/tokenize', body });
    const { tokens } = fieldsOf(answer);
    return Array.isArray(tokens) ? (tokens as number[]) : [];
  }

  /** Chunks until the one with an end; the first comes when the prompt has been read. */
  async *complete(
    completion: Completion,
    signal: AbortSignal,
  ): AsyncGenerator<CompletionChunk, void, undefined> {
    const body = bodyOf(completion);
    const { events } = await this.#http.stream({
      method: 'POST',
      path: '/completion',
      body,
      signal,
    });
    for await (const event of events) {
      const chunk = chunkOf(event);
      yield chunk;
      if (chunk.end) return;
    }
    throw new KvShareError('runner_failed', "llama.cpp's server ended without an end.");
  }

  /** Bytes written. Waits while the slot computes, as do the others. */
  async save(slot: number, file: string): Promise<number> {
    const answer = await this.#slot(slot, 'save', { filename: file });
    return count(answer['n_written'], 'how much it saved');
  }

  async restore(slot: number, file: string): Promise<void> {
    await this.#slot(slot, 'restore', { filename: file });
  }

  async erase(slot: number): Promise<void> {
    await this.#slot(slot, 'erase', {});
  }

  async #slot(slot: number, action: string, body: object): Promise<Record<string, unknown>> {
    const path = `/slots/${slot}?action=${action}`;
    return fieldsOf(await this.#http.json({ method: 'POST', path, body }));
  }
}
