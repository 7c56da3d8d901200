// Ends a long-running command cleanly: on SIGINT or SIGTERM, or when the parent process is gone.
import { exitWithParent } from '../serve/index.ts';

export async function runUntilSignal(close: () => Promise<void>): Promise<void> {
  let closing: Promise<void> | null = null;
  const closeOnce = (): Promise<void> => (closing ??= close());
  exitWithParent(closeOnce);
  await new Promise<void>((resolve) => {
    // `on`, not `once`: a second Ctrl-C must not kill us in the middle of closing.
    if (!process.send) process.on('SIGINT', resolve);
    process.on('SIGTERM', resolve);
  });
  await closeOnce();
}
