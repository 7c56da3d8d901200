// What the package says of itself, found upwards from here: the sources and what is built of them lie at different
// depths.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface PackageInfo {
  readonly name: string;
  readonly version: string;
  readonly engines: { readonly node: string };
}

/** Where the package is installed. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

export const packageInfo = (): PackageInfo =>
  JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')) as PackageInfo;
