// /v1/completions of a server that speaks OpenAI's API, with token ids as the prompt: the server reads exactly the tokens
// that were planned, special ones included, and renders no template of its own. vLLM, SGLang, llama.cpp's server and
// KVShare itself take them.
import { KvShareError } from '../../src/errors.ts';
import type { SamplingOptions } from '../../src/protocol/index.ts';
import { Http } from '../kit/http.ts';

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Null where the server does not say it. */
  readonly cachedTokens: number | null;
  /** Only another KVShare imports what is no prefix. */
  readonly importedTokens: number;
  /** Where it says that itself; else what is not cached. */
  readonly recomputedTokens: number | null;
}

export interface CompletionPart {
  readonly text: string;
  readonly usage: Usage | null;
  readonly end: 'stop' | 'length' | null;
}

export interface Completion {
  readonly tokens: readonly number[];
  readonly sampling: SamplingOptions;
  readonly maxTokens: number;
  /** Who may share a cache, unreadable. */
  readonly cacheSalt: string;
}

export interface ServerModel {
  readonly id: string;
  /** Null where it does not say. */
  readonly contextLength: number | null;
}

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {};

const countOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null;

export function usageOf(value: unknown): Usage | null {
  const usage = fieldsOf(value);
  const promptTokens = countOf(usage['prompt_tokens']);
  const completionTokens = countOf(usage['completion_tokens']);
  if (promptTokens === null || completionTokens === null) return null;
  const details = fieldsOf(usage['prompt_tokens_details']);
  const kvshare = fieldsOf(details['kvshare']);
  return {
    promptTokens,
    completionTokens,
    cachedTokens: countOf(details['cached_tokens']),
    importedTokens: countOf(kvshare['imported_tokens']) ?? 0,
    recomputedTokens: countOf(kvshare['recomputed_tokens']),
  };
}

function partOf(event: Fields): CompletionPart {
  if (event['error'] !== undefined) {
    const message = String(fieldsOf(event['error'])['message']);
    throw new KvShareError('runner_failed', `The model server failed: ${message}`);
  }
  const choices = Array.isArray(event['choices']) ? (event['choices'] as unknown[]) : [];
  const choice = fieldsOf(choices[0]);
  const [text, reason] = [choice['text'], choice['finish_reason']];
  const end = reason === 'length' ? 'length' : typeof reason === 'string' ? 'stop' : null;
  return { text: typeof text === 'string' ? text : '', usage: usageOf(event['usage']), end };
}

export class CompletionServer {
  readonly url: string;
  readonly #http: Http;
  readonly #wanted: string | null;
  #model = '';

  /** `model`: its name there; null = the first that the server lists. */
  constructor(url: string, key: string | null, model: string | null) {
    this.url = url;
    this.#http = new Http({ url, key });
    this.#wanted = model;
  }

  /** Throws `runner_unavailable` when the server does not answer, `config_invalid` when it has no such model. */
  async model(): Promise<ServerModel> {
    const signal = AbortSignal.timeout(5_000);
    const answer = fieldsOf(await this.#http.json({ method: 'GET', path: '/v1/models', signal }));
    const models = (Array.isArray(answer['data']) ? (answer['data'] as unknown[]) : []).map(
      fieldsOf,
    );
    const found = models.find(({ id }) => this.#wanted === null || id === this.#wanted);
    const id = found?.['id'];
    if (!found || typeof id !== 'string') {
      const message = `${this.url} does not serve ${this.#wanted ?? 'a model'}.`;
      throw new KvShareError('config_invalid', message);
    }
    this.#model = id;
    const contextLength =
      countOf(found['max_model_len']) ?? countOf(fieldsOf(found['meta'])['n_ctx']);
    return { id, contextLength };
  }

  async *complete(
    { tokens, sampling, maxTokens, cacheSalt }: Completion,
    signal: AbortSignal,
  ): AsyncGenerator<CompletionPart, void, undefined> {
    const body = {
      model: this.#model,
      prompt: tokens,
      max_tokens: maxTokens,
      temperature: sampling.temperature,
      top_p: sampling.topP,
      seed: sampling.seed,
      stream: true,
      stream_options: { include_usage: true },
      cache_salt: cacheSalt,
    };
    const call = { method: 'POST', path: '/v1/completions', body, signal } as const;
    const { events } = await this.#http.stream(call);
    for await (const event of events) yield partOf(event);
  }
}
