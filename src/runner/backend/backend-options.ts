// What a backend loader gets and gives.
import type { OnProgress } from '../../provisioning/index.ts';

export type Tf = typeof import('@tensorflow/tfjs-core');

export const backendRequests = [
  'auto',
  'tensorflow-gpu',
  'tensorflow',
  'webgpu',
  'wasm',
  'cpu',
] as const;
export type BackendRequest = (typeof backendRequests)[number];
/** What a GPU backend that was asked for does without a GPU. */
export const gpuSubstitutes = ['refuse', 'cpu'] as const;
export type GpuSubstitute = (typeof gpuSubstitutes)[number];

export interface LoadedTf {
  readonly tf: Tf;
  readonly description: string;
  /** Tensors are in a memory of their own: what the host wants of them is copied. */
  readonly hasOwnMemory: boolean;
  /** A step of a thousand tokens takes hardly longer than one of a few, and there is room for it. */
  readonly likesLongSteps?: boolean;
  /** Settles with one line when nothing more can be computed in this process. */
  readonly failed?: Promise<string>;
}

export interface BackendOptions {
  readonly requested: BackendRequest;
  readonly cacheDir: string;
  /** Whether the native backend may be built when it is missing (downloads 274 MB). */
  readonly allowBuild: boolean;
  /** A GPU backend that was asked for may compute on the CPU when there is no GPU. */
  readonly allowCpu?: boolean;
  readonly onProgress?: OnProgress;
}
