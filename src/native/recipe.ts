// What the native backend is made of. tfjs-node's own library of 2022 cannot be downloaded everywhere and is
// slow; a current TensorFlow's C library, taken from its Python wheel, fits the same binding. One pinned
// wheel serves every Python version, since only its C library and headers are used.
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { cudaWheels } from './cuda-wheels.ts';
import { graphFunctions } from './graph-functions.ts';
import type { Wheel } from './wheel.ts';

export const recipe = {
  /** Raise when the steps change. */
  version: 2,
  graphFunctions,
  tfjsNode: '4.22.0',
  tensorflow: '2.21.0',
  pythonVersion: '3.11',
  nodeGyp: '10',
  napiVersion: '8',
} as const;

export const builds = ['tensorflow', 'tensorflow-gpu'] as const;
/** By the names of the backends. */
export type NativeBuildName = (typeof builds)[number];

/** Per `process.arch`, to compute on the CPU. The arm64 wheel holds the same two libraries; the build was not run on such a machine. */
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

const gpuWheels: Readonly<Record<string, Wheel>> = {
  x64: {
    project: 'tensorflow',
    platform: 'manylinux_2_27_x86_64',
    bytes: 572_440_367,
    sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
  },
};

/** What a build is made of: TensorFlow first. */
function wheelsOf(build: NativeBuildName): readonly Wheel[] | null {
  const gpu = build === 'tensorflow-gpu';
  const tensorflow = (gpu ? gpuWheels : wheels)[process.arch];
  return tensorflow ? [tensorflow, ...(gpu ? cudaWheels : [])] : null;
}

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

/** The wheels that fit this machine, or null: TensorFlow's libraries exist for Linux with glibc. */
export function wheelsHere(build: NativeBuildName): readonly Wheel[] | null {
  return process.platform === 'linux' && libc() === 'glibc' ? wheelsOf(build) : null;
}

/** Folder of this recipe on this machine; N-API keeps one build valid for every Node version. */
export function nativeFolder(cacheDir: string, build: NativeBuildName): string {
  const made = build === 'tensorflow-gpu' ? [gpuWheels, cudaWheels] : wheels;
  const parts = [recipe, made, process.platform, process.arch, libc()];
  const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
  return join(cacheDir, 'native', key);
}

export const packageFolder = (folder: string): string =>
  join(folder, 'node_modules', '@tensorflow', 'tfjs-node');
