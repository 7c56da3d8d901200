// KVShare inside somebody's own app.
export { kvshare } from './kvshare.ts';
export type { KvShare } from './kvshare.ts';
export type { Caller, KvShareOptions, LoadedModel } from './options.ts';
export type { MountHealth } from './mount.ts';
