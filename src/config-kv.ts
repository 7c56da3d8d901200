// Flags about where the runner keeps KV. Defaults: live tensors only, as much for any scope as there is.
import { KvShareError } from './errors.ts';

export const kvHostFormats = ['fp32', 'bf16', 'int8'] as const;
export const kvAdmissions = ['always', 'second-sighting'] as const;

export interface KvSettings {
  /** Most bytes of KV in host memory beside live tensors; 0 = none. */
  readonly hostBytes: number;
  readonly hostFormat: (typeof kvHostFormats)[number];
  /** Most bytes of KV on disk; 0 = none. */
  readonly diskBytes: number;
  readonly diskFolder: string;
  /** Share of each tier that one scope may have. */
  readonly scopeShare: number;
  readonly admission: (typeof kvAdmissions)[number];
}

export function parseShare(text: string, source: string): number {
  const share = Number(text);
  if (!(share > 0 && share <= 1)) {
    throw new KvShareError('config_invalid', `${source} must be a number above 0, at most 1.`);
  }
  return share;
}

/** Throws on what is asked for but could not work. */
export function checkKv(kv: KvSettings, folder: string | null): KvSettings {
  if (folder !== null && kv.diskBytes === 0) {
    throw new KvShareError('config_invalid', '--kv-disk-dir needs --kv-disk-bytes.');
  }
  return kv;
}

/** A parser of one of these names. */
export const oneOf =
  <T extends string>(names: readonly T[]) =>
  (text: string, source: string): T => {
    const known = names.find((name) => name === text);
    if (known !== undefined) return known;
    const list = names.join(', ');
    throw new KvShareError('config_invalid', `${source} must be one of ${list}, not "${text}".`);
  };

/** The flags that say the same again, for a runner in a process of its own. */
export const kvArguments = (kv: KvSettings): string[] => [
  ...(kv.hostBytes > 0 ? ['--kv-host-bytes', `${kv.hostBytes}`] : []),
  ...(kv.diskBytes > 0
    ? ['--kv-disk-bytes', `${kv.diskBytes}`, '--kv-disk-dir', kv.diskFolder]
    : []),
  ...['--kv-host-format', kv.hostFormat],
  ...['--kv-scope-share', `${kv.scopeShare}`],
  ...['--kv-admission', kv.admission],
];
