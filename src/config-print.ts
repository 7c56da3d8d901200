// What a command would run with, value by value, and where each came from: a flag, a variable, a line of the file, a
// default. Secrets are masked, so that the output can be pasted into an issue.
import { LineCounter, parse, parseDocument, visit, isPair, isScalar, isSeq } from 'yaml';
import { otlpVariable } from './config-telemetry.ts';
import { findSetting, settingFlags, type SettingName } from './config-flags.ts';
import { logArgument } from './config-log.ts';
import type { FileSettings } from './config-file.ts';
import type { Settings } from './config.ts';
import { parseGiven, type Flags } from './flags.ts';
import type { RouteReuse } from './routes/index.ts';

export interface ShownSetting {
  readonly name: string;
  readonly value: unknown;
  readonly source: string;
}

/** A config file as it was read and as it is written. */
export interface ShownFile {
  readonly file: FileSettings;
  readonly path: string;
  readonly text: string;
}

type Lines = ReadonlyMap<string, number>;

/** "routes[0].reuse.minRun" → its line, for every key and item of the file. */
function linesOf(text: string): Lines {
  const counter = new LineCounter();
  const lines = new Map<string, number>();
  visit(parseDocument(text, { lineCounter: counter }), (key, node, path) => {
    const range = isPair(node)
      ? (node.key as { range?: [number] }).range
      : (node as { range?: [number] }).range;
    if (!range) return;
    const parents = [...path, node];
    const name = parents.flatMap((parent, i) => {
      if (isPair(parent)) return isScalar(parent.key) ? [`.${String(parent.key.value)}`] : [];
      const above = parents[i - 1];
      if (!isSeq(above)) return [];
      return [`[${i === parents.length - 1 ? Number(key) : above.items.indexOf(parent)}]`];
    });
    const place = name.join('').replace(/^\./, '');
    if (place && !lines.has(place)) lines.set(place, counter.linePos(range[0]).line);
  });
  return lines;
}

/** `env:NAME` says whether there is one; a key that stands in the file is not shown. */
function maskKey(key: unknown, env: NodeJS.ProcessEnv): unknown {
  if (Array.isArray(key)) return key.map((one) => maskKey(one, env));
  if (typeof key !== 'string') return null;
  return key.startsWith('env:') ? `${key} (${env[key.slice(4)] ? 'set' : 'not set'})` : '***';
}

const maskUrl = (text: string): string => text.replace(/\/\/[^/@]*@/, '//***@');

const isSecret = (name: string): boolean => /auth|key|token|secret|password|cookie/i.test(name);

/** Keys as they were written, by name wherever they stand; what only sounds secret is hidden. */
function mask(value: unknown, raw: unknown, name: string, env: NodeJS.ProcessEnv): unknown {
  if (name === 'key' || name === 'keys') return maskKey(raw, env);
  if (typeof value === 'string') return isSecret(name) ? '***' : maskUrl(value);
  if (typeof value !== 'object' || value === null) return value;
  const inside = ([key, inner]: [string, unknown]) =>
    mask(inner, (raw as Record<string, unknown> | undefined)?.[key], key, env);
  if (Array.isArray(value)) return Object.entries(value).map(inside);
  return Object.fromEntries(Object.entries(value).map((entry) => [entry[0], inside(entry)]));
}

/** Nested objects and lists as dotted names; what is empty is one value. */
function flatten(value: unknown, name: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[name, value]];
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [
    Array.isArray(value) ? `${name}[${key}]` : `${name}.${key}`,
    inner,
  ]);
  return entries.length === 0
    ? [[name, Array.isArray(value) ? [] : {}]]
    : entries.flatMap(([key, inner]) => flatten(inner, key));
}

function shownReuse({ options, qualityBudget }: RouteReuse): object {
  // Not for operators: suites switch the fallbacks off.
  const { fallbacks: _, ...rest } = options;
  return { ...rest, qualityBudget };
}

/** What a setting that the file does not have comes from. */
function inheritedFrom(name: string, lines: Lines, path: string, settings: FileSettings): string {
  const route = /^routes\[(\d+)\]\.reuse\.(.*)/.exec(name);
  const ownPolicy = route && settings.routes[Number(route[1])]!.reuse.options.policy;
  const { policy } = settings.reuse.options;
  const isBudget = name.includes('.qualityBudget.');
  if (route && (ownPolicy === policy || isBudget)) {
    const line = lines.get(`reuse.${route[2]!}`);
    if (line !== undefined) return `${path}:${line}`;
  }
  const isOption = /(^|\.)reuse\./.test(name) && !isBudget && !name.endsWith('.policy');
  return isOption ? `policy ${ownPolicy ?? policy}` : 'default';
}

function fileSettings(
  { file, path, text }: ShownFile,
  env: NodeJS.ProcessEnv,
): readonly ShownSetting[] {
  const lines = linesOf(text);
  const raw = (parse(text) ?? {}) as Record<string, unknown>;
  const shown = {
    ...file,
    reuse: shownReuse(file.reuse),
    routes: file.routes.map((route) => ({ ...route, reuse: shownReuse(route.reuse) })),
  };
  return Object.entries(shown).flatMap(([key, value]) =>
    flatten(mask(value, raw[key], key, env), key).map(([name, masked]) => {
      const line = lines.get(name);
      const variable = name === 'telemetry.otlp' ? otlpVariable(env) : null;
      const written = line === undefined ? null : `${path}:${line}`;
      const source = variable ?? written ?? inheritedFrom(name, lines, path, file);
      return { name, value: masked, source };
    }),
  );
}

const valueOf: Record<SettingName, (settings: Settings) => unknown> = {
  port: ({ port }) => port,
  host: ({ host }) => host,
  'admin-host': ({ admin }) => admin.host,
  'admin-port': ({ admin }) => admin.port,
  'drain-seconds': ({ drainMs }) => drainMs / 1_000,
  'log-level': ({ logLevels }) => logArgument(logLevels),
  config: ({ configPath }) => configPath,
  'cache-dir': ({ cacheDir }) => cacheDir,
  model: ({ modelPath }) => modelPath,
  backend: ({ backend }) => backend,
  'without-gpu': ({ withoutGpu }) => withoutGpu,
  scheduler: ({ scheduler }) => scheduler,
  precision: ({ precision }) => precision,
  'step-tokens': ({ stepTokens }) => stepTokens ?? 'by backend',
  'shared-step-tokens': ({ sharedStepTokens }) => sharedStepTokens ?? 'by backend',
  'kv-bytes': ({ kvBytes }) => kvBytes ?? 'what fits',
  'kv-host-bytes': ({ kv }) => kv.hostBytes,
  'kv-host-format': ({ kv }) => kv.hostFormat,
  'kv-disk-bytes': ({ kv }) => kv.diskBytes,
  'kv-disk-dir': ({ kv }) => kv.diskFolder,
  'kv-scope-share': ({ kv }) => kv.scopeShare,
  'kv-admission': ({ kv }) => kv.admission,
  runner: ({ runnerUrl }) => (runnerUrl === null ? null : maskUrl(runnerUrl)),
  adapter: ({ adapter }) => adapter?.name ?? null,
};

/** Every setting that the flags of a command can set, then those of its file. */
export function showSettings(
  settings: Settings,
  how: {
    readonly argv: readonly string[];
    readonly env: NodeJS.ProcessEnv;
    readonly flags: Flags;
    /** Null for a command that reads none. */
    readonly file: ShownFile | null;
  },
): ShownSetting[] {
  const { argv, env, flags, file } = how;
  const { given } = parseGiven(argv, flags, 1);
  const names = (Object.keys(settingFlags) as SettingName[]).filter((name) => name in flags);
  const own = names.map((name) => ({
    name,
    value: valueOf[name](settings),
    source: findSetting(name, given, env).source,
  }));
  return [...own, ...(file ? fileSettings(file, env) : [])];
}
