// The only reader of environment and argv. Order: defaults < file (YAML) < environment (KVSHARE_*) < flags.
// Everything is checked once, here, and frozen; a bad value names itself and where it came from.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { withAdapterName } from './config-adapter.ts';
import { checkOperatorKeys, type AdminSettings, type MetricsSettings } from './config-admin.ts';
import {
  findSetting,
  ADMIN_KEY_VARIABLE,
  KEY_VARIABLE,
  METRICS_KEY_VARIABLE,
  settingFlags,
  unknownVariables,
  type SettingName,
} from './config-flags.ts';
import {
  parseConfigFile,
  readDocument,
  type ConfigDocument,
  type FileSettings,
} from './config-file.ts';
import {
  checkKv,
  kvAdmissions,
  kvHostFormats,
  oneOf,
  parseShare,
  type KvSettings,
} from './config-kv.ts';
import { parseLogLevels, type LogLevels } from './config-log.ts';
import {
  besideBytes,
  besideSidecar,
  isFrugal,
  memoryLimit,
  runnerAllocation,
} from './config-memory.ts';
import { KvShareError } from './errors.ts';
import { parseGiven, type Flags } from './flags.ts';
import {
  backendRequests,
  gpuSubstitutes,
  type BackendRequest,
  type GpuSubstitute,
} from './runner/backend/index.ts';
import { precisions, type Precision } from './runner/precisions.ts';
import { schedulers, type Scheduler } from './runner/schedulers.ts';

export interface Settings extends FileSettings {
  readonly cacheDir: string;
  readonly host: string;
  readonly port: number;
  /** Explicit model file; null = the pinned default model. */
  readonly modelPath: string | null;
  readonly backend: BackendRequest;
  readonly withoutGpu: GpuSubstitute;
  /** Most bytes of KV kept by the runner; null = what fits, which the model file tells. */
  readonly kvBytes: number | null;
  /** What else takes of the memory that the runner may have. */
  readonly besideBytes: number;
  /** Its allocators give back what they do not use. */
  readonly isFrugal: boolean;
  /** Order in which the runner serves waiting requests. */
  readonly scheduler: Scheduler;
  readonly precision: Precision;
  /** Most prompt tokens that the runner computes in one step, alone and while somebody decodes; null = by backend. */
  readonly stepTokens: number | null;
  readonly sharedStepTokens: number | null;
  readonly kv: KvSettings;
  /** Address of a runner that runs elsewhere (`kvshare sidecar --runner URL`). */
  readonly runnerUrl: string | null;
  /** How long answers under way may take to finish when the process is told to end. */
  readonly drainMs: number;
  readonly logLevels: LogLevels;
  readonly configPath: string | null;
}

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
    // Kubernetes sets KVSHARE_PORT=tcp://… in the pods beside a Service named kvshare.
    const hint = text.includes('://')
      ? ' A Service has this name: set enableServiceLinks: false.'
      : '';
    const message = `${source} must be a port number, not "${text}".${hint}`;
    throw new KvShareError('config_invalid', message);
  }
  return port;
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

/** Undefined only where the table has no fallback. */
type Found<N extends SettingName, T> = (typeof settingFlags)[N] extends { fallback: string }
  ? T
  : T | undefined;
type Pick = <N extends SettingName, T>(
  name: N,
  parse: (text: string, source: string) => T,
) => Found<N, T>;

/** How the runner computes. */
const computing = (pick: Pick) => ({
  backend: pick('backend', oneOf<BackendRequest>(backendRequests)),
  withoutGpu: pick('without-gpu', oneOf<GpuSubstitute>(gpuSubstitutes)),
  scheduler: pick('scheduler', oneOf(schedulers)),
  precision: pick('precision', oneOf(precisions)),
  stepTokens: pick('step-tokens', parseCount) ?? null,
  sharedStepTokens: pick('shared-step-tokens', parseCount) ?? null,
});

/** What it keeps beside live tensors. */
function keeping(pick: Pick, cacheDir: string): Settings['kv'] {
  const folder = pick('kv-disk-dir', String) ?? null;
  const kv = {
    hostBytes: pick('kv-host-bytes', parseBytes) ?? 0,
    hostFormat: pick('kv-host-format', oneOf(kvHostFormats)),
    diskBytes: pick('kv-disk-bytes', parseBytes) ?? 0,
    diskFolder: folder ?? join(cacheDir, 'kv'),
    scopeShare: pick('kv-scope-share', parseShare),
    admission: pick('kv-admission', oneOf(kvAdmissions)),
  };
  return checkKv(kv, folder);
}

/** An empty variable is none. */
const given = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/** The keys have no flags: everybody on a machine can read those of a process. */
function operating(
  pick: Pick,
  env: NodeJS.ProcessEnv,
  { admin, metrics, tenants }: FileSettings,
): { readonly admin: AdminSettings; readonly metrics: MetricsSettings } {
  const settings = {
    admin: {
      host: pick('admin-host', String) ?? admin.host,
      port: pick('admin-port', parsePort) ?? admin.port,
      key: given(env[ADMIN_KEY_VARIABLE]) ?? admin.key,
    },
    metrics: { key: given(env[METRICS_KEY_VARIABLE]) ?? metrics.key },
  };
  checkOperatorKeys({ ...settings, tenants });
  return settings;
}

/** `flags`: those of the command that is run; the environment may hold settings of others, too. */
export function readSettings(
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  flags: Flags = settingFlags,
): Settings {
  const { given } = parseGiven(argv, flags);
  const pick: Pick = (name, parse) => {
    const { text, source } = findSetting(name, given, env);
    const value = text === undefined ? undefined : parse(text, source);
    return value as Found<typeof name, NonNullable<typeof value>>;
  };
  const configPath = pick('config', String) ?? null;
  const cacheDir = pick('cache-dir', String) ?? join(homedir(), '.cache', 'kvshare');
  const file = readConfigFile(configPath, env);
  return Object.freeze({
    ...file,
    ...operating(pick, env, file),
    adapter: withAdapterName(file.adapter, pick('adapter', String) ?? null),
    configPath,
    cacheDir,
    host: pick('host', String),
    port: pick('port', parsePort),
    modelPath: pick('model', String) ?? null,
    ...computing(pick),
    kvBytes: pick('kv-bytes', parseBytes) ?? null,
    besideBytes: besideBytes(env),
    isFrugal: isFrugal(env),
    kv: keeping(pick, cacheDir),
    runnerUrl: pick('runner', String) ?? null,
    drainMs: pick('drain-seconds', parseCount) * 1_000,
    logLevels: pick('log-level', parseLogLevels),
  });
}

/** Settings written in code, in the shape of kvshare.yaml; machine matters come from the environment as for commands. */
export function readCodeSettings(
  document: ConfigDocument,
  source: string,
  env: NodeJS.ProcessEnv = process.env,
): FileSettings & { readonly cacheDir: string; readonly modelPath: string | null } {
  const { cacheDir, modelPath } = readSettings([], { ...env, KVSHARE_CONFIG: '' });
  return { ...readDocument(document, source, env), cacheDir, modelPath };
}

/** The API key that client commands send when no flag names one. */
export const clientKey = (): string | undefined => process.env[KEY_VARIABLE];

/** For what shows where settings come from. */
export const environment = (): NodeJS.ProcessEnv => process.env;

/** Set for children, whose stderr is passed on, where it ends on a terminal. */
const ON_TERMINAL_VARIABLE = 'KVSHARE_ON_TERMINAL';

/** Whether a person sees what is written on stderr, here or through the parent that started us. */
export const stderrIsTerminal = (): boolean =>
  process.stderr.isTTY || process.env[ON_TERMINAL_VARIABLE] === '1';

/** Environment for child processes: quiet TensorFlow unless the operator asked otherwise. */
export function childEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const shown = { ...(stderrIsTerminal() && { [ON_TERMINAL_VARIABLE]: '1' }) };
  return { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env, ...shown, ...extra };
}

/** For a runner beside a sidecar on one machine. What the operator has set about allocation stays. */
export const runnerEnvironment = (
  extra: Record<string, string>,
  limit = memoryLimit(),
): NodeJS.ProcessEnv => ({
  ...(limit.isEnforced && runnerAllocation),
  ...childEnvironment({ ...besideSidecar, ...extra }),
});

/** TensorFlow and CUDA read these from the environment while their libraries load. */
export function prepareTensorflow(): void {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  // On NVIDIA's GPUs: fp32 means fp32, not 10 bits of it.
  process.env['NVIDIA_TF32_OVERRIDE'] ??= '0';
  // It takes what it needs, not the whole of a GPU's memory at the start.
  process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
}

/** Once a start: a child process says nothing that its parent has said. */
export function warnOfVariables(): void {
  if (process.send) return;
  for (const line of unknownVariables(process.env)) process.stderr.write(`kvshare: ${line}\n`);
}
