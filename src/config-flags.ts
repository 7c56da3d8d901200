// What can be set by flag or by KVSHARE_NAME, with the value that counts otherwise: the one table of it.
import { kvAdmissions, kvHostFormats } from './config-kv.ts';
import { didYouMean } from './nearest-name.ts';
import type { Flags, Given } from './flags.ts';
import { backendRequests, gpuSubstitutes } from './runner/backend/index.ts';
import { precisions } from './runner/precisions.ts';
import { schedulers } from './runner/schedulers.ts';

/** Where a server listens and what it says. */
export const listenFlags = {
  port: { value: 'PORT', fallback: '8080', does: 'port to listen on; 0 picks a free one' },
  host: { value: 'HOST', fallback: '127.0.0.1', does: 'address to listen on' },
  'admin-host': { value: 'HOST', usual: '127.0.0.1', does: 'address of the admin port' },
  'admin-port': {
    value: 'PORT',
    usual: '8090',
    does: 'admin API and dashboard; off without KVSHARE_ADMIN_KEY',
  },
  // Kubernetes kills after 30 seconds.
  'drain-seconds': {
    value: 'N',
    fallback: '25',
    does: 'for answers under way when told to end',
  },
  'log-level': {
    value: 'LEVEL',
    fallback: 'info',
    does: 'trace … silent; info,runner=debug: another level for serve, sidecar or runner',
  },
} as const satisfies Flags;

/** What is on disk. */
export const fileFlags = {
  'cache-dir': { value: 'DIR', usual: '~/.cache/kvshare', does: 'models, native backend, vectors' },
  model: { value: 'FILE', usual: 'the pinned SmolLM2-135M', does: 'a GGUF file' },
} as const satisfies Flags;

export const configFlags = {
  config: { value: 'FILE', usual: 'none', does: 'kvshare.yaml: tenants, reuse, routes' },
} as const satisfies Flags;

export const backendFlags = {
  backend: {
    names: backendRequests,
    fallback: 'auto',
    does: 'forces one; auto takes the best that runs',
  },
  'without-gpu': {
    names: gpuSubstitutes,
    fallback: 'refuse',
    does: 'what --backend webgpu or tensorflow-gpu does where there is none',
  },
} as const satisfies Flags;

/** How the runner computes. */
export const computeFlags = {
  ...backendFlags,
  scheduler: {
    names: schedulers,
    fallback: 'reuse-aware',
    does: 'order in which waiting prompts are served',
  },
  precision: { names: precisions, fallback: 'fp32', does: 'numbers of the layers’ matrices' },
  // Defaults: commands/step-sizes.ts.
  'step-tokens': {
    value: 'N',
    usual: '400; 1024 on a GPU with room for it',
    does: 'most prompt tokens of one step',
  },
  'shared-step-tokens': {
    value: 'N',
    usual: '256; 1024 on a GPU with room for it',
    does: 'the same while somebody decodes',
  },
} as const satisfies Flags;

/** Where the runner keeps KV. */
export const keepFlags = {
  'kv-bytes': {
    value: 'SIZE',
    usual: 'what fits, at most a quarter of the memory; 1GiB with a GPU',
    does: 'most KV in live tensors',
  },
  'kv-host-bytes': { value: 'SIZE', usual: 'none', does: 'KV in host memory beside them' },
  'kv-host-format': { names: kvHostFormats, fallback: 'fp32', does: 'numbers of that' },
  'kv-disk-bytes': { value: 'SIZE', usual: 'none', does: 'KV on disk, kept over a restart' },
  'kv-disk-dir': { value: 'DIR', usual: 'kv in the cache', does: 'where; needs --kv-disk-bytes' },
  'kv-scope-share': {
    value: 'SHARE',
    fallback: '1',
    does: 'most of each tier that one scope may have',
  },
  'kv-admission': {
    names: kvAdmissions,
    fallback: 'always',
    does: 'what is kept when memory is short',
  },
} as const satisfies Flags;

export const linkFlags = {
  runner: { value: 'URL', usual: 'none', does: 'address of a runner that runs elsewhere' },
  adapter: {
    value: 'NAME',
    usual: 'none',
    does: 'another framework as the runner: llama-cpp, openai-compatible',
  },
} as const satisfies Flags;

export const settingFlags = {
  ...listenFlags,
  ...configFlags,
  ...fileFlags,
  ...computeFlags,
  ...keepFlags,
  ...linkFlags,
} as const satisfies Flags;

export type SettingName = keyof typeof settingFlags;

export const environmentName = (name: string): string =>
  `KVSHARE_${name.toUpperCase().replaceAll('-', '_')}`;

/** A setting as it was given, and by what; undefined where it is computed. */
export function findSetting(
  name: SettingName,
  given: Given,
  env: NodeJS.ProcessEnv,
): { readonly text: string | undefined; readonly source: string } {
  const flag = given[name];
  if (typeof flag === 'string') return { text: flag, source: `--${name}` };
  const variable = environmentName(name);
  const value = env[variable];
  if (value !== undefined && value !== '') return { text: value, source: variable };
  const { fallback } = settingFlags[name] as { fallback?: string };
  return { text: fallback, source: 'default' };
}

/** The admin key has no flag: everybody on a machine can read those of a process. */
export const ADMIN_KEY_VARIABLE = 'KVSHARE_ADMIN_KEY';

/** The metrics key has none either. */
export const METRICS_KEY_VARIABLE = 'KVSHARE_METRICS_KEY';

/** Read by client commands: the API key to send. */
export const KEY_VARIABLE = 'KVSHARE_KEY';

/** Kubernetes puts such variables into the pods beside a Service named kvshare. */
const OF_A_SERVICE = /^KVSHARE_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP))/;

/** One line for each variable that looks like ours and is not. No error: others may set what starts like us. */
export function unknownVariables(env: NodeJS.ProcessEnv): string[] {
  const known = [
    ...Object.keys(settingFlags).map(environmentName),
    KEY_VARIABLE,
    ADMIN_KEY_VARIABLE,
    METRICS_KEY_VARIABLE,
  ];
  return Object.keys(env)
    .filter((name) => name.startsWith('KVSHARE_') && !known.includes(name))
    .filter((name) => !OF_A_SERVICE.test(name))
    .map((name) => `nothing reads the variable ${name}.${didYouMean(name, known)}`);
}
