// Who asks, as the app says. Whatever is wrong with the answer makes the request private: never an error, never sharing.
import type { IncomingMessage } from 'node:http';
import type { Identify, Principal } from '../sidecar/index.ts';
import type { Log } from '../telemetry/index.ts';
import type { Caller, KvShareOptions } from './options.ts';

const PATIENCE_MS = 5_000;
/** Callers who are waited for. One more and the oldest is not, its request is private: honest answers are there in a moment. */
const MOST_WAITING = 1_024;
const isName = (value: unknown): value is string => typeof value === 'string' && value !== '';

function principalOf(caller: Caller | null | undefined): Principal | null {
  if (caller === null || caller === undefined) return null;
  const { tenant, user } = caller as Partial<Record<keyof Caller, unknown>>;
  if (!isName(tenant)) throw new TypeError('tenant must be a text');
  if (user !== undefined && user !== null && typeof user !== 'string') {
    throw new TypeError('user must be a text');
  }
  return { tenant, key: null, user: isName(user) ? user : null };
}

/** Bounded in time and number: whoever waits here holds a socket and what the app has parsed of its body. */
class Waiting {
  /** How to end each, the oldest first. */
  readonly #ends = new Set<() => void>();

  async within<T>(ms: number, work: PromiseLike<T>): Promise<T> {
    let end = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      const reason = Object.assign(new Error('too late'), { name: 'TimeoutError' });
      end = () => reject(reason);
    });
    const timer = setTimeout(end, ms);
    this.#ends.add(end);
    const [oldest] = this.#ends;
    if (this.#ends.size > MOST_WAITING) oldest!();
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
      this.#ends.delete(end);
    }
  }
}

/** Of whatever library or realm. */
const isThenable = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function';

/** `viewOf` gives the request as the app's framework knows it. */
export function identifyBy<R>(
  {
    identify,
    identifyTimeoutMs = PATIENCE_MS,
  }: Pick<KvShareOptions<R>, 'identify' | 'identifyTimeoutMs'>,
  viewOf: (request: IncomingMessage) => R,
  log: Log,
): Identify {
  if (!identify) return () => null;
  const waiting = new Waiting();
  return async (request) => {
    try {
      const told = identify(viewOf(request));
      const caller = isThenable(told) ? await waiting.within(identifyTimeoutMs, told) : told;
      return principalOf(caller);
    } catch (error) {
      const { name } = (error ?? {}) as { name?: unknown };
      log.warn({ name }, 'identify failed: the request is private');
      return null;
    }
  };
}
