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

/** Where the package is installed; without a package.json, as in a bundle, the uppermost folder. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return folder;
}

/** Of a bundle nobody knows the version: what lies above it is another package. */
const unknown: PackageInfo = { name: 'kvshare', version: 'unknown', engines: { node: '*' } };

export function packageInfo(): PackageInfo {
  const path = join(packageFolder(), 'package.json');
  if (!existsSync(path)) return unknown;
  const found = JSON.parse(readFileSync(path, 'utf8')) as PackageInfo;
  return found.name === unknown.name ? found : unknown;
}
