// What the native backend is made of. tfjs-node's own library of 2022 cannot be downloaded everywhere and is
// slow; a current TensorFlow's C library, taken from its Python wheel, fits the same binding. One pinned
// wheel serves every Python version, since only its C library and headers are used.
import { createHash } from 'node:crypto';
import { join } from 'node:path';

export const recipe = {
  /** Raise when the steps change. */
  version: 1,
  tfjsNode: '4.22.0',
  tensorflow: '2.21.0',
  pythonVersion: '3.11',
  platform: 'manylinux_2_27_x86_64',
  wheelBytes: 273_829_956,
  wheelSha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
  nodeGyp: '10',
  napiVersion: '8',
} as const;

/** Folder of this recipe on this machine; N-API keeps one build valid for every Node version. */
export function nativeFolder(cacheDir: string): string {
  const parts = [recipe, process.platform, process.arch];
  const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
  return join(cacheDir, 'native', key);
}

export const packageFolder = (folder: string): string =>
  join(folder, 'node_modules', '@tensorflow', 'tfjs-node');
