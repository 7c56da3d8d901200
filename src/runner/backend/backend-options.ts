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
export interface LoadedTf {
  readonly tf: Tf;
  readonly description: string;
}

export interface BackendOptions {
  readonly requested: BackendRequest;
  readonly cacheDir: string;
  /** Whether the native backend may be built when it is missing (downloads 274 MB). */
  readonly allowBuild: boolean;
  readonly onProgress?: OnProgress;
}
