// A time limit that leaves nothing behind: AbortSignal.timeout would keep all that a job has touched for as long as
// the limit is, however soon the job is done.

/** Runs with a signal that aborts after `ms`, or with `parent`. */
export async function withinTime<T>(
  ms: number,
  parent: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  parent.throwIfAborted();
  const own = new AbortController();
  const follow = (): void => own.abort(parent.reason);
  const expire = (): void => own.abort(new DOMException('It took too long.', 'TimeoutError'));
  const timer = setTimeout(expire, ms);
  parent.addEventListener('abort', follow, { once: true });
  try {
    return await run(own.signal);
  } finally {
    clearTimeout(timer);
    parent.removeEventListener('abort', follow);
  }
}
