// kvshare.yaml → settings. Unknown keys are errors: a misspelt threshold must not be silently ignored.
import { parse } from 'yaml';
import { KvShareError } from './errors.ts';
import { SHORTEST_RUN } from './match/index.ts';
import { policyNames } from './protocol/index.ts';
import { defaultReuseOptions, type ReuseOptions } from './reuse/index.ts';

export interface Tenant {
  readonly name: string;
  readonly keys: readonly string[];
}

export interface FileSettings {
  readonly tenants: readonly Tenant[];
  readonly reuse: ReuseOptions;
  /** Where every path that is not ours is passed on to; null = 404. */
  readonly upstream: string | null;
}

type Fields = Record<string, unknown>;

class Reader {
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  fail(message: string): never {
    throw new KvShareError('config_invalid', `${this.#source}: ${message}`);
  }

  fields(value: unknown, where: string, known: readonly string[]): Fields {
    if (value === null || value === undefined) return {};
    if (typeof value !== 'object' || Array.isArray(value)) this.fail(`${where} must be a mapping.`);
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) {
        this.fail(`unknown key "${key}" in ${where}; known keys: ${known.join(', ')}.`);
      }
    }
    return value as Fields;
  }

  list(value: unknown, where: string): unknown[] {
    if (value === undefined || value === null) return [];
    return Array.isArray(value) ? (value as unknown[]) : this.fail(`${where} must be a list.`);
  }

  number(value: unknown, where: string, fallback: number, [min, max]: [number, number]): number {
    if (value === undefined) return fallback;
    if (typeof value === 'number' && value >= min && value <= max) return value;
    return this.fail(`${where} must be a number from ${min} to ${max}.`);
  }

  text(value: unknown, where: string): string {
    if (typeof value === 'string' && value !== '') return value;
    return this.fail(`${where} must be a text.`);
  }

  flag(value: unknown, where: string, fallback: boolean): boolean {
    if (value === undefined) return fallback;
    return typeof value === 'boolean' ? value : this.fail(`${where} must be true or false.`);
  }
}

function readKey(reader: Reader, value: unknown, where: string, env: NodeJS.ProcessEnv): string {
  const text = reader.text(value, where);
  if (!text.startsWith('env:')) return text;
  const found = env[text.slice(4)];
  return found ?? '';
}

function readTenants(reader: Reader, value: unknown, env: NodeJS.ProcessEnv): Tenant[] {
  const seen = new Map<string, string>();
  return reader.list(value, 'tenants').map((item, at) => {
    const where = `tenants[${at}]`;
    const fields = reader.fields(item, where, ['name', 'keys']);
    const name = reader.text(fields['name'], `${where}.name`);
    const keys = reader
      .list(fields['keys'], `${where}.keys`)
      .map((key, i) => readKey(reader, key, `${where}.keys[${i}]`, env))
      .filter((key) => key !== '');
    for (const key of keys) {
      const owner = seen.get(key);
      if (owner !== undefined) reader.fail(`tenants ${owner} and ${name} have the same key.`);
      seen.set(key, name);
    }
    return { name, keys };
  });
}

function readReuse(reader: Reader, value: unknown): ReuseOptions {
  const fallback = defaultReuseOptions;
  const known = Object.keys(fallback).filter((key) => key !== 'fallbacks');
  const fields = reader.fields(value, 'reuse', known);
  const closure = reader.fields(fields['closure'], 'reuse.closure', ['min', 'max']);
  const number = (name: 'minRun' | 'seam' | 'mergeGap', range: [number, number]): number =>
    reader.number(fields[name], `reuse.${name}`, fallback[name], range);
  const share = (name: 'minReuse' | 'maxInversionShare'): number =>
    reader.number(fields[name], `reuse.${name}`, fallback[name], [0, 1]);
  const policy = policyNames.find((name) => name === (fields['policy'] ?? fallback.policy));
  return {
    ...fallback,
    policy: policy ?? reader.fail(`reuse.policy must be one of ${policyNames.join(', ')}.`),
    minRun: number('minRun', [SHORTEST_RUN, 4096]),
    seam: number('seam', [0, 256]),
    mergeGap: number('mergeGap', [0, 256]),
    closure: {
      min: reader.number(closure['min'], 'reuse.closure.min', fallback.closure.min, [0, 1024]),
      max: reader.number(closure['max'], 'reuse.closure.max', fallback.closure.max, [0, 1024]),
    },
    minReuse: share('minReuse'),
    maxInversionShare: share('maxInversionShare'),
    delimiterRefresh: reader.flag(
      fields['delimiterRefresh'],
      'reuse.delimiterRefresh',
      fallback.delimiterRefresh,
    ),
  };
}

/** `source` names the file in errors; keys written as `env:NAME` come from the environment. */
export function parseConfigFile(
  text: string,
  source: string,
  env: NodeJS.ProcessEnv,
): FileSettings {
  const reader = new Reader(source);
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    reader.fail(`is not valid YAML: ${(error as Error).message.split('\n')[0] ?? ''}`);
  }
  const fields = reader.fields(document, 'the file', ['tenants', 'reuse', 'upstream']);
  const upstream = fields['upstream'];
  return {
    tenants: readTenants(reader, fields['tenants'], env),
    reuse: readReuse(reader, fields['reuse']),
    upstream: upstream === undefined ? null : reader.text(upstream, 'upstream'),
  };
}
