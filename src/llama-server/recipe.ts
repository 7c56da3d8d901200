// What the peer of `bench peers` is made of: llama.cpp's server, whose source lies inside a Python source distribution,
// so that a package index is enough to have it. Pinned by its SHA-256.
import { join } from 'node:path';

export const recipe = {
  /** Raise when the steps change. */
  version: 1,
  project: 'llama_cpp_python',
  release: '0.3.36',
  bytes: 76_589_250,
  sha256: '832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e',
  /** Where llama.cpp lies in it. */
  source: 'llama_cpp_python-0.3.36/vendor/llama.cpp',
} as const;

/** One file that needs nothing beside it, for this very processor, without a web page, tests or TLS. */
export const configureArgs: readonly string[] = [
  '-DCMAKE_BUILD_TYPE=Release',
  '-DBUILD_SHARED_LIBS=OFF',
  '-DGGML_NATIVE=ON',
  '-DGGML_CCACHE=OFF',
  '-DLLAMA_BUILD_TESTS=OFF',
  '-DLLAMA_BUILD_EXAMPLES=OFF',
  '-DLLAMA_BUILD_APP=OFF',
  '-DLLAMA_BUILD_UI=OFF',
  '-DLLAMA_USE_PREBUILT_UI=OFF',
  '-DLLAMA_OPENSSL=OFF',
];

/** Folder of this recipe on this machine. */
export const llamaServerFolder = (cacheDir: string): string =>
  join(cacheDir, 'llama-server', `${recipe.release}-${recipe.version}-${process.arch}`);

export const serverIn = (folder: string): string => join(folder, 'llama-server');
