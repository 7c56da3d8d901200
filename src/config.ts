// The only reader of environment and argv. Order: defaults < file (YAML) < environment (KVSHARE_*) < flags.
// Everything is checked once, here, and frozen; a bad value names itself and where it came from.
import { readFileSync } from 'node:fs';
import { homedir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseConfigFile, type FileSettings } from './config-file.ts';
import {
  checkKv,
  kvAdmissions,
  kvHostFormats,
  oneOf,
  parseShare,
  type KvSettings,
} from './config-kv.ts';
import { KvShareError } from './errors.ts';
import { backendRequests, type BackendRequest } from './runner/backend/index.ts';
import { precisions, type Precision } from './runner/precisions.ts';
import { schedulers, type Scheduler } from './runner/schedulers.ts';

export interface Settings extends FileSettings {
  readonly cacheDir: string;
  readonly host: string;
  readonly port: number;
  /** Explicit model file; null = the pinned default model. */
  readonly modelPath: string | null;
  readonly backend: BackendRequest;
  /** Most bytes of KV kept by the runner. */
  readonly kvBytes: number;
  /** Order in which the runner serves waiting requests. */
  readonly scheduler: Scheduler;
  readonly precision: Precision;
  /** Most prompt tokens that the runner computes in one step, alone and while somebody decodes. */
  readonly stepTokens: number;
  readonly sharedStepTokens: number;
  readonly kv: KvSettings;
  /** Address of a runner that runs elsewhere (`kvshare sidecar --runner URL`). */
  readonly runnerUrl: string | null;
  readonly logLevel: string;
  readonly configPath: string | null;
}

/** Measured on 2 cores, 800 tokens: 400 takes 1.12 s, 256 1.2 s, 800 (no steps) 1.2 s. */
const STEP_TOKENS = 400;
/** 0.4 s on the same machine: what a running answer stalls for while another prompt is read. Smaller steps read slower. */
const SHARED_STEP_TOKENS = 256;

const flags = {
  port: { type: 'string' },
  host: { type: 'string' },
  config: { type: 'string' },
  model: { type: 'string' },
  backend: { type: 'string' },
  'kv-bytes': { type: 'string' },
  scheduler: { type: 'string' },
  precision: { type: 'string' },
  'step-tokens': { type: 'string' },
  'shared-step-tokens': { type: 'string' },
  'kv-host-bytes': { type: 'string' },
  'kv-host-format': { type: 'string' },
  'kv-disk-bytes': { type: 'string' },
  'kv-disk-dir': { type: 'string' },
  'kv-scope-share': { type: 'string' },
  'kv-admission': { type: 'string' },
  runner: { type: 'string' },
  'log-level': { type: 'string' },
  'cache-dir': { type: 'string' },
} as const;

type FlagName = keyof typeof flags;

const units: Record<string, number> = { '': 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };

/** `512MiB`, `2GiB` or plain bytes. */
export function parseBytes(text: string, source: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]ib)?$/i.exec(text.trim());
  const bytes = match ? Number(match[1]) * units[(match[2] ?? '').toLowerCase()]! : NaN;
  if (!(bytes >= 2 ** 20)) {
    throw new KvShareError('config_invalid', `${source} must be a size such as 512MiB or 2GiB.`);
  }
  return Math.floor(bytes);
}

function parseCount(text: string, source: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) {
    throw new KvShareError('config_invalid', `${source} must be a positive number, not "${text}".`);
  }
  return count;
}

function parsePort(text: string, source: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new KvShareError('config_invalid', `${source} must be a port number, not "${text}".`);
  }
  return port;
}

function readFlags(argv: readonly string[]): Partial<Record<FlagName, string>> {
  try {
    return parseArgs({ args: [...argv], options: flags, strict: true }).values;
  } catch (error) {
    throw new KvShareError('config_invalid', (error as Error).message);
  }
}

export function readConfigFile(
  path: string | null,
  env: NodeJS.ProcessEnv = process.env,
): FileSettings {
  if (path === null) return parseConfigFile('', 'defaults', env);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new KvShareError('config_invalid', `The config file ${path} cannot be read.`);
  }
  return parseConfigFile(text, path, env);
}

const environmentName = (flag: FlagName): string =>
  `KVSHARE_${flag.toUpperCase().replaceAll('-', '_')}`;

type Pick = <T>(name: FlagName, parse: (text: string, source: string) => T) => T | undefined;

const textOf = (pick: Pick, name: FlagName): string | null => pick(name, (value) => value) ?? null;

/** How the runner computes. */
const computing = (pick: Pick) => ({
  backend: pick('backend', oneOf<BackendRequest>(backendRequests)) ?? 'auto',
  scheduler: pick('scheduler', oneOf(schedulers)) ?? 'reuse-aware',
  precision: pick('precision', oneOf(precisions)) ?? 'fp32',
  stepTokens: pick('step-tokens', parseCount) ?? STEP_TOKENS,
  sharedStepTokens: pick('shared-step-tokens', parseCount) ?? SHARED_STEP_TOKENS,
});

/** What it keeps beside live tensors. */
function keeping(pick: Pick, cacheDir: string): Settings['kv'] {
  const folder = textOf(pick, 'kv-disk-dir');
  const kv = {
    hostBytes: pick('kv-host-bytes', parseBytes) ?? 0,
    hostFormat: pick('kv-host-format', oneOf(kvHostFormats)) ?? 'fp32',
    diskBytes: pick('kv-disk-bytes', parseBytes) ?? 0,
    diskFolder: folder ?? join(cacheDir, 'kv'),
    scopeShare: pick('kv-scope-share', parseShare) ?? 1,
    admission: pick('kv-admission', oneOf(kvAdmissions)) ?? 'always',
  } as const;
  return checkKv(kv, folder);
}

export function readSettings(
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Settings {
  const given = readFlags(argv);
  const pick: Pick = (name, parse) => {
    const flag = given[name];
    if (flag !== undefined) return parse(flag, `--${name}`);
    const value = env[environmentName(name)];
    return value === undefined || value === '' ? undefined : parse(value, environmentName(name));
  };
  const text = (name: FlagName): string | null => textOf(pick, name);
  const configPath = text('config');
  const cacheDir = text('cache-dir') ?? join(homedir(), '.cache', 'kvshare');
  return Object.freeze({
    ...readConfigFile(configPath, env),
    configPath,
    cacheDir,
    host: text('host') ?? '127.0.0.1',
    port: pick('port', parsePort) ?? 8080,
    modelPath: text('model'),
    ...computing(pick),
    kvBytes: pick('kv-bytes', parseBytes) ?? Math.floor(totalmem() / 4),
    kv: keeping(pick, cacheDir),
    runnerUrl: text('runner'),
    logLevel: text('log-level') ?? 'info',
  });
}

/** The API key that client commands send when no flag names one. */
export const clientKey = (): string | undefined => process.env['KVSHARE_KEY'];

/** Environment for child processes: quiet TensorFlow unless the operator asked otherwise. */
export function childEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env, ...extra };
}

/** TensorFlow reads its log level from the environment while its library loads. */
export function quietTensorflow(): void {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
}
