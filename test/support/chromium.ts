// A real Chromium for tests of the dashboard: the one of this machine, or Debian's when we may install it.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function find(): string | null {
  const given = process.env['KVSHARE_CHROMIUM'];
  if (given) return given;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const paths = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return paths.find((path) => existsSync(path)) ?? null;
}

function install(): void {
  const run = (...args: string[]): unknown => execFileSync('apt-get', args, { stdio: 'ignore' });
  try {
    run('update');
    run('install', '-y', '--no-install-recommends', 'chromium');
  } catch {
    // Not root, not Debian, no network: the caller says what to do.
  }
}

/** Null, and a line that says what to do, when there is none and none can be had. */
export function findChromium(): string | null {
  if (find() === null) install();
  const path = find();
  if (path === null) {
    process.stderr.write(
      'No Chromium: the dashboard is not tested. Install it (apt-get install chromium) or set KVSHARE_CHROMIUM to its path.\n',
    );
  }
  return path;
}
