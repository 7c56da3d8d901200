// The runner port, spoken over HTTP: what a sidecar holds. The only file that imports undici. undici's
// own body timeout sleeps while a consumer is slow, so silence is watched here: the server beats every
// few seconds, and a stream without any byte for IDLE_MS is given up.
import { Pool, type Dispatcher } from 'undici';
import { errorStatus, KvShareError, type ErrorBody, type ErrorCode } from '../errors.ts';
import type {
  CompareRequest,
  Comparison,
  GenerateEvent,
  GenerateRequest,
  Runner,
  RunnerInfo,
  StoreControl,
  StoredReport,
  StoreEvent,
} from '../protocol/index.ts';
import { decodeEvents, paths } from '../protocol/wire.ts';

/** Three missed beats, and room for one long step of a slow backend. */
const IDLE_MS = 60_000;

const unavailable = (): KvShareError =>
  new KvShareError('runner_unavailable', 'The model runner does not answer.');

export class RunnerClient implements Runner {
  readonly #pool: Pool;
  readonly #idleMs: number;

  constructor(url: string, { idleMs = IDLE_MS }: { idleMs?: number } = {}) {
    this.#idleMs = idleMs;
    this.#pool = new Pool(url, {
      connections: 128,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: 2_000 },
    });
  }

  info(): Promise<RunnerInfo> {
    return this.#json<RunnerInfo>({ method: 'GET', path: paths.info });
  }

  get control(): StoreControl {
    const post = (path: string, body: object): Promise<string[]> => {
      const headers = { 'content-type': 'application/json' };
      return this.#control({ method: 'POST', path, headers, body: JSON.stringify(body) });
    };
    return {
      list: () => this.#control<StoredReport[]>({ method: 'GET', path: paths.store }),
      remove: (segments) => post(paths.remove, { segments }),
      pin: (segments, ms) => post(paths.pin, { segments, ms }),
      unpin: (segments) => post(paths.unpin, { segments }),
    };
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent> {
    const body = JSON.stringify(request);
    const headers = { 'content-type': 'application/json' };
    const options = { method: 'POST', path: paths.generate, body, headers, signal } as const;
    let ended = false;
    for await (const event of this.#events<GenerateEvent>(options, signal)) {
      ended ||= event.type === 'end' || event.type === 'error';
      yield event;
    }
    if (!ended && !signal.aborted) throw new KvShareError('runner_failed', 'The runner went away.');
  }

  async compare(request: CompareRequest, signal: AbortSignal): Promise<Comparison | null> {
    const body = JSON.stringify(request);
    const headers = { 'content-type': 'application/json' };
    const options = { method: 'POST', path: paths.compare, body, headers, signal } as const;
    const response = await this.#request(options).catch((error: unknown) => {
      if (signal.aborted) return null;
      throw error;
    });
    return response && ((await response.body.json()) as Comparison | null);
  }

  watch(signal: AbortSignal): AsyncGenerator<StoreEvent> {
    return this.#events<StoreEvent>({ method: 'GET', path: paths.watch }, signal);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #json<T>(options: Omit<Dispatcher.RequestOptions, 'origin'>): Promise<T> {
    const signal = AbortSignal.timeout(this.#idleMs);
    const response = await this.#request({ ...options, signal });
    return (await response.body.json()) as T;
  }

  /** A runner without the optional half of the port does not know these paths. */
  async #control<T>(options: Omit<Dispatcher.RequestOptions, 'origin'>): Promise<T> {
    try {
      return await this.#json<T>(options);
    } catch (error) {
      if (!(error instanceof KvShareError) || error.code !== 'not_found') throw error;
      throw new KvShareError('runner_unable', 'This runner’s store cannot be controlled.');
    }
  }

  async *#events<T>(
    options: Omit<Dispatcher.RequestOptions, 'origin'>,
    signal: AbortSignal,
  ): AsyncGenerator<T> {
    const idle = new AbortController();
    const response = await this.#request({
      ...options,
      signal: AbortSignal.any([signal, idle.signal]),
    });
    const timer = setTimeout(() => idle.abort(), this.#idleMs);
    const alive = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        timer.refresh();
        yield chunk;
      }
    };
    try {
      yield* decodeEvents<T>(alive());
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof KvShareError
        ? error
        : new KvShareError('runner_failed', 'The connection to the runner broke.');
    } finally {
      clearTimeout(timer);
      response.body.destroy();
    }
  }

  async #request(
    options: Omit<Dispatcher.RequestOptions, 'origin'>,
  ): Promise<Dispatcher.ResponseData> {
    let response: Dispatcher.ResponseData;
    try {
      response = await this.#pool.request(options);
    } catch {
      throw unavailable();
    }
    if (response.statusCode === 200) return response;
    const body = (await response.body.json().catch(() => null)) as ErrorBody | null;
    const code = body?.error.code;
    if (!code || !(code in errorStatus)) throw unavailable();
    throw new KvShareError(code satisfies ErrorCode, body.error.message, body.error.param);
  }
}
