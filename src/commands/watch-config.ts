// Hot reload: another policy in kvshare.yaml takes effect on the next request, without a restart. The text is polled:
// editors and Kubernetes replace the file behind its name. A file that is wrong changes nothing.
import { readFileSync } from 'node:fs';
import { readConfigFile } from '../config.ts';
import { KvShareError } from '../errors.ts';
import type { RouteSettings } from '../routes/index.ts';
import type { Log } from '../telemetry/index.ts';

const POLL_MS = 1_000;

/** Null while there is no such file: between two versions, for a moment, there may be none. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** Also on SIGHUP. Returns how to stop. */
export function watchConfig(
  path: string | null,
  log: Log,
  reload: (settings: RouteSettings) => void,
): () => void {
  if (path === null) return () => undefined;
  const read = (): void => {
    try {
      reload(readConfigFile(path));
      log.info({ path }, 'reuse settings reloaded; tenants and upstream need a restart');
    } catch (error) {
      const problem = error instanceof KvShareError ? error.message : 'cannot be used';
      log.error({ path, problem }, 'the new settings are wrong, the old ones stay');
    }
  };
  let known = textOf(path);
  const timer = setInterval(() => {
    const text = textOf(path);
    if (text === null || text === known) return;
    known = text;
    read();
  }, POLL_MS).unref();
  /** What changed just before the signal is not read a second time. */
  const readAtOnce = (): void => {
    known = textOf(path);
    read();
  };
  process.on('SIGHUP', readAtOnce);
  return () => {
    clearInterval(timer);
    process.off('SIGHUP', readAtOnce);
  };
}
