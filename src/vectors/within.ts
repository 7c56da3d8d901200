// Waiting with a limit, and without a timer that is left behind.

/** Resolves with the promise, or after `ms`, whichever is first. The promise must not reject. */
export async function within(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms));
  });
  await Promise.race([promise, elapsed]);
  clearTimeout(timer);
}
