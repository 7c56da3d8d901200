// kvshare.yaml → settings. Unknown keys are errors: a misspelt threshold must not be silently ignored.
import { parse } from 'yaml';
import {
  readAdmin,
  type AdminDocument,
  type AdminSettings,
  type MetricsSettings,
} from './config-admin.ts';
import { readAdapter, type AdapterDocument, type AdapterSettings } from './config-adapter.ts';
import { findConfigError, type embedderKinds } from './config-schema.ts';
import { readTelemetry, type TelemetrySettings } from './config-telemetry.ts';
import { KvShareError } from './errors.ts';
import type { EmbedderSettings } from './open-model/index.ts';
import {
  defaultReuse,
  readReuse,
  routeName,
  type ReuseSettings,
  type Route,
  type RouteMatch,
  type RouteReuse,
  type RouteSettings,
} from './routes/index.ts';

export interface Tenant {
  readonly name: string;
  readonly keys: readonly string[];
}

export interface FileSettings extends RouteSettings {
  readonly tenants: readonly Tenant[];
  /** Where requests are recorded; null = nowhere. */
  readonly record: RecordSettings | null;
  readonly embedder: EmbedderSettings;
  /** Whether a request waits for a prompt under way that it could use. */
  readonly singleFlight: boolean;
  /** Where the guard keeps its state; null = in the cache folder, by port. */
  readonly guardFile: string | null;
  /** Whether hot prompts are computed exactly in idle moments. */
  readonly healing: boolean;
  readonly telemetry: TelemetrySettings;
  /** Where every path that is not ours is passed on to; null = 404. */
  readonly upstream: string | null;
  /** Another framework in the runner's place; null = our own runner. */
  readonly adapter: AdapterSettings | null;
  readonly admin: AdminSettings;
  readonly metrics: MetricsSettings;
}

export interface RecordSettings {
  readonly path: string;
  readonly plainTokens: boolean;
  readonly maxBytes: number;
}

type EmbedderKind = (typeof embedderKinds)[number];

/** What `policySchema` lets through. */
export interface PolicyDocument {
  readonly reuse?: ReuseSettings;
  readonly inspect?: 'text';
  readonly routes?: readonly {
    readonly name?: string;
    readonly match: RouteMatch;
    readonly reuse: ReuseSettings;
    readonly inspect?: 'text';
  }[];
}

/** What `configSchema` lets through: kvshare.yaml, or the same written in code. */
export interface ConfigDocument extends PolicyDocument {
  readonly tenants?: readonly { readonly name: string; readonly keys?: readonly string[] }[];
  readonly record?: {
    readonly path: string;
    readonly plainTokens?: boolean;
    readonly maxMiB?: number;
  };
  readonly embedder?: {
    readonly kind: EmbedderKind;
    readonly url?: string;
    readonly model?: string;
    readonly key?: string;
    readonly file?: string;
  };
  readonly singleFlight?: boolean;
  readonly guardFile?: string;
  readonly healing?: boolean;
  readonly telemetry?: { readonly otlp?: string };
  readonly upstream?: string;
  readonly adapter?: AdapterDocument;
  readonly admin?: AdminDocument;
  readonly metrics?: { readonly key?: string };
}

/** Keys written as `env:NAME` come from the environment; a missing one is empty. */
const readKey = (text: string, env: NodeJS.ProcessEnv): string =>
  text.startsWith('env:') ? (env[text.slice(4)] ?? '') : text;

function readTenants(
  { tenants = [] }: ConfigDocument,
  env: NodeJS.ProcessEnv,
  source: string,
): Tenant[] {
  const seen = new Map<string, string>();
  return tenants.map(({ name, keys: given = [] }) => {
    const keys = given.map((key) => readKey(key, env)).filter((key) => key !== '');
    for (const key of keys) {
      const owner = seen.get(key);
      if (owner !== undefined) {
        const message = `${source}: tenants ${owner} and ${name} have the same key.`;
        throw new KvShareError('config_invalid', message);
      }
      seen.set(key, name);
    }
    return { name, keys };
  });
}

/** A key that the environment does not have matches nothing, rather than everything. */
function readMatch(match: RouteMatch, env: NodeJS.ProcessEnv): RouteMatch {
  const { key, header } = match;
  return {
    ...match,
    ...(key !== undefined && { key: readKey(key, env) || '\0' }),
    ...(header && {
      header: Object.fromEntries(
        Object.entries(header).map(([name, value]) => [name.toLowerCase(), value]),
      ),
    }),
  };
}

function readRoutes(
  { routes = [] }: PolicyDocument,
  env: NodeJS.ProcessEnv,
  general: RouteReuse,
): Route[] {
  return routes.map(({ name, match, reuse, inspect }, at) => ({
    name: routeName(name, at),
    match: readMatch(match, env),
    reuse: readReuse(reuse, general),
    ...(inspect && { inspect }),
  }));
}

/** Of a document that the schema lets through. */
export function readPolicy(document: PolicyDocument, env: NodeJS.ProcessEnv): RouteSettings {
  const reuse = readReuse(document.reuse ?? {}, defaultReuse);
  const { inspect } = document;
  return { reuse, routes: readRoutes(document, env, reuse), ...(inspect && { inspect }) };
}

function readRecord({ record }: ConfigDocument): RecordSettings | null {
  if (!record) return null;
  const { path, plainTokens = false, maxMiB = 100 } = record;
  return { path, plainTokens, maxBytes: maxMiB * 2 ** 20 };
}

function readEmbedder({ embedder }: ConfigDocument, env: NodeJS.ProcessEnv): EmbedderSettings {
  const { kind, url = '', model = '', key, file = null } = embedder ?? { kind: 'auto' };
  if (kind !== 'openai') return { kind, file };
  return { kind, file, url, model, key: key === undefined ? null : readKey(key, env) };
}

/** `source` names where it comes from in errors. */
export function readDocument(
  document: ConfigDocument,
  source: string,
  env: NodeJS.ProcessEnv,
): FileSettings {
  const wrong = findConfigError(document);
  if (wrong !== null) throw new KvShareError('config_invalid', `${source}: ${wrong}`);
  const { key, ...address } = document.admin ?? {};
  return {
    ...readPolicy(document, env),
    tenants: readTenants(document, env, source),
    admin: readAdmin({ ...address, ...(key !== undefined && { key: readKey(key, env) }) }),
    metrics: { key: readKey(document.metrics?.key ?? '', env) || null },
    record: readRecord(document),
    embedder: readEmbedder(document, env),
    singleFlight: document.singleFlight ?? true,
    guardFile: document.guardFile ?? null,
    healing: document.healing ?? true,
    telemetry: readTelemetry(document.telemetry, env, source),
    upstream: document.upstream ?? null,
    adapter: readAdapter(document.adapter, (text) => readKey(text, env)),
  };
}

/** `source` names the file in errors. */
export function parseConfigFile(
  text: string,
  source: string,
  env: NodeJS.ProcessEnv,
): FileSettings {
  let parsed: unknown;
  try {
    parsed = parse(text);
  } catch (error) {
    const why = (error as Error).message.split('\n')[0] ?? '';
    throw new KvShareError('config_invalid', `${source}: is not valid YAML: ${why}`);
  }
  return readDocument(parsed ?? {}, source, env);
}
