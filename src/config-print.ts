// What a command would run with, value by value, and where each came from: a flag, a variable, a line of the file, a
// default. Secrets are masked, so that the output can be pasted into an issue.
import { LineCounter, parse, parseDocument, visit, isPair, isScalar, isSeq } from 'yaml';
import { findSetting, settingFlags, type SettingName } from './config-flags.ts';
import type { FileSettings } from './config-file.ts';
import type { Settings } from './config.ts';
import { parseGiven, type Flags } from './flags.ts';
import type { ReuseSettings, Route, RouteReuse } from './routes/index.ts';

export interface ShownSetting {
  readonly name: string;
  readonly value: unknown;
  readonly source: string;
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
function maskKey(key: unknown, env: NodeJS.ProcessEnv): string {
  if (typeof key !== 'string' || !key.startsWith('env:')) return '***';
  return `${key} (${env[key.slice(4)] ? 'set' : 'not set'})`;
}

const maskUrl = (text: string): string => text.replace(/\/\/[^/@]*@/, '//***@');

const isSecretHeader = (name: string): boolean => /auth|key|token|secret|cookie/i.test(name);

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

interface RawFile {
  readonly tenants?: readonly { readonly keys?: readonly string[] }[];
  readonly reuse?: ReuseSettings;
  readonly routes?: readonly { readonly match: { readonly key?: string } }[];
  readonly embedder?: { readonly key?: string };
}

function shownReuse({ options, qualityBudget }: RouteReuse): object {
  // Not for operators: suites switch the fallbacks off.
  const { fallbacks: _, ...rest } = options;
  return { ...rest, qualityBudget };
}

function shownRoute({ name, match, reuse }: Route, key: unknown, env: NodeJS.ProcessEnv): object {
  const { header } = match;
  const headers = Object.entries(header ?? {}).map(([field, value]) => [
    field,
    isSecretHeader(field) ? '***' : value,
  ]);
  const shown = {
    ...match,
    ...(key !== undefined && { key: maskKey(key, env) }),
    ...(header && { header: Object.fromEntries(headers) as object }),
  };
  return { name, match: shown, reuse: shownReuse(reuse) };
}

/** The file's settings as they count, with keys as they were written, masked. */
function shownFile(settings: FileSettings, raw: RawFile, env: NodeJS.ProcessEnv): object {
  const { tenants, reuse, routes, record, embedder, singleFlight, upstream } = settings;
  return {
    tenants: tenants.map(({ name }, i) => ({
      name,
      keys: (raw.tenants?.[i]?.keys ?? []).map((key) => maskKey(key, env)),
    })),
    reuse: shownReuse(reuse),
    routes: routes.map((route, i) => shownRoute(route, raw.routes?.[i]?.match.key, env)),
    record,
    embedder: {
      ...embedder,
      ...('url' in embedder && { url: maskUrl(embedder.url) }),
      ...(raw.embedder?.key !== undefined && { key: maskKey(raw.embedder.key, env) }),
    },
    singleFlight,
    upstream: upstream === null ? null : maskUrl(upstream),
  };
}

/** What a reuse setting that the file does not have comes from. */
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

function fileSettings(settings: Settings, text: string, env: NodeJS.ProcessEnv): ShownSetting[] {
  const path = settings.configPath ?? '';
  const lines = linesOf(text);
  const raw = (parse(text) ?? {}) as RawFile;
  return Object.entries(shownFile(settings, raw, env)).flatMap(([key, value]) =>
    flatten(value, key).map(([name, shown]) => {
      const line = lines.get(name);
      const source = line === undefined ? inheritedFrom(name, lines, path, settings) : null;
      return { name, value: shown, source: source ?? `${path}:${line!}` };
    }),
  );
}

const valueOf: Record<SettingName, (settings: Settings) => unknown> = {
  port: ({ port }) => port,
  host: ({ host }) => host,
  'drain-seconds': ({ drainMs }) => drainMs / 1_000,
  'log-level': ({ logLevel }) => logLevel,
  config: ({ configPath }) => configPath,
  'cache-dir': ({ cacheDir }) => cacheDir,
  model: ({ modelPath }) => modelPath,
  backend: ({ backend }) => backend,
  scheduler: ({ scheduler }) => scheduler,
  precision: ({ precision }) => precision,
  'step-tokens': ({ stepTokens }) => stepTokens,
  'shared-step-tokens': ({ sharedStepTokens }) => sharedStepTokens,
  'kv-bytes': ({ kvBytes }) => kvBytes,
  'kv-host-bytes': ({ kv }) => kv.hostBytes,
  'kv-host-format': ({ kv }) => kv.hostFormat,
  'kv-disk-bytes': ({ kv }) => kv.diskBytes,
  'kv-disk-dir': ({ kv }) => kv.diskFolder,
  'kv-scope-share': ({ kv }) => kv.scopeShare,
  'kv-admission': ({ kv }) => kv.admission,
  runner: ({ runnerUrl }) => (runnerUrl === null ? null : maskUrl(runnerUrl)),
};

/** Every setting that the flags of a command can set, then those of the file; `text` is the file's. */
export function showSettings(
  settings: Settings,
  how: {
    readonly argv: readonly string[];
    readonly env: NodeJS.ProcessEnv;
    readonly flags: Flags;
    readonly text: string;
  },
): ShownSetting[] {
  const { argv, env, flags, text } = how;
  const { given } = parseGiven(argv, flags, 1);
  const names = (Object.keys(settingFlags) as SettingName[]).filter((name) => name in flags);
  const own = names.map((name) => ({
    name,
    value: valueOf[name](settings),
    source: findSetting(name, given, env).source,
  }));
  return 'config' in flags ? [...own, ...fileSettings(settings, text, env)] : own;
}
