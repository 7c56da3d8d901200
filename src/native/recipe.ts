// What the native backend is made of. tfjs-node's own library of 2022 cannot be downloaded everywhere and is
// slow; a current TensorFlow's C library, taken from its Python wheel, fits the same binding. One pinned
// wheel serves every Python version, since only its C library and headers are used.
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

export const recipe = {
  /** Raise when the steps change. */
  version: 1,
  tfjsNode: '4.22.0',
  tensorflow: '2.21.0',
  pythonVersion: '3.11',
  nodeGyp: '10',
  napiVersion: '8',
} as const;

export interface Wheel {
  readonly project: string;
  readonly platform: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Per `process.arch`. The arm64 wheel holds the same two libraries; the build was not run on such a machine. */
const wheels: Readonly<Record<string, Wheel>> = {
  x64: {
    project: 'tensorflow-cpu',
    platform: 'manylinux_2_27_x86_64',
    bytes: 273_829_956,
    sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
  },
  arm64: {
    project: 'tensorflow',
    platform: 'manylinux_2_27_aarch64',
    bytes: 281_828_020,
    sha256: '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
  },
};

/** Which C library Node runs on: its loader's name stands at the start of the executable. */
function libc(): 'glibc' | 'musl' {
  const head = Buffer.alloc(4096);
  const file = openSync(process.execPath, 'r');
  try {
    readSync(file, head);
  } finally {
    closeSync(file);
  }
  return head.includes('ld-musl') ? 'musl' : 'glibc';
}

/** The wheel that fits this machine, or null: TensorFlow's libraries exist for Linux with glibc. */
export function wheelHere(): Wheel | null {
  const { platform, arch } = process;
  return platform === 'linux' && libc() === 'glibc' ? (wheels[arch] ?? null) : null;
}

/** Folder of this recipe on this machine; N-API keeps one build valid for every Node version. */
export function nativeFolder(cacheDir: string): string {
  const parts = [recipe, wheels, process.platform, process.arch, libc()];
  const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
  return join(cacheDir, 'native', key);
}

export const packageFolder = (folder: string): string =>
  join(folder, 'node_modules', '@tensorflow', 'tfjs-node');
