// Ends a long-running command cleanly: on SIGINT or SIGTERM, or when the parent process is gone.
import { exitWithParent } from '../serve/index.ts';

export async function runUntilSignal(close: () => Promise<void>): Promise<void> {
  let closing: Promise<void> | null = null;
  const closeOnce = (): Promise<void> => (closing ??= close());
  exitWithParent(closeOnce);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await closeOnce();
}
