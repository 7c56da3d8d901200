// Backends that run everywhere: WebAssembly and plain JavaScript from npm.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { LoadedTf, Tf } from './backend-options.ts';

interface WasmModule {
  setWasmPaths(prefix: string): void;
}

async function activate(tf: Tf, name: string): Promise<void> {
  if (!(await tf.setBackend(name))) throw new Error(`TensorFlow.js could not start ${name}`);
  await tf.ready();
}

export async function loadCpu(): Promise<LoadedTf> {
  const tf = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-backend-cpu');
  // Silences the advice to install tfjs-node, which the caller has tried or did not want.
  tf.env().set('IS_NODE', false);
  await activate(tf, 'cpu');
  return { tf, description: 'plain JavaScript, for tests and tiny models', hasOwnMemory: false };
}

export async function loadWasm(): Promise<LoadedTf> {
  const tf = await import('@tensorflow/tfjs-core');
  const wasm = (await import('@tensorflow/tfjs-backend-wasm')) as WasmModule;
  const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  // Its threads are browser workers with blob addresses, which Node cannot start.
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  wasm.setWasmPaths(join(dirname(entry), '/'));
  await activate(tf, 'wasm');
  const description = 'WebAssembly with SIMD; about 20x slower than tensorflow';
  return { tf, description, hasOwnMemory: false };
}
