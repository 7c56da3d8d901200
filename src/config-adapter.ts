// `adapter:` in kvshare.yaml: another serving framework in the runner's place.
import { strictObject } from './routes/index.ts';

export interface AdapterSettings {
  readonly name: string;
  /** Origins of its servers; none = the one that --runner names. */
  readonly urls: readonly string[];
  readonly key: string | null;
  /** The model's name there. */
  readonly model: string | null;
  /** What scopes are hashed with; null = drawn at every start. */
  readonly secret: string | null;
  /** Where the server saves contexts. */
  readonly folder: string | null;
  /** Whether all tenants may share the servers' cache. */
  readonly sharedCache: boolean;
  readonly maxBytes: number;
  readonly maxContexts: number;
}

/** What `adapterSchema` lets through. */
export interface AdapterDocument {
  readonly name: string;
  readonly urls?: readonly string[];
  readonly key?: string;
  readonly model?: string;
  readonly secret?: string;
  readonly folder?: string;
  readonly sharedCache?: boolean;
  readonly maxMiB?: number;
  readonly maxContexts?: number;
}

const text = { type: 'string', minLength: 1 } as const;

export const adapterSchema = {
  ...strictObject({
    name: { ...text, description: 'llama-cpp or openai-compatible.' },
    urls: { type: 'array', items: text, minItems: 1, description: 'Origins of the servers.' },
    key: { ...text, description: 'Their API key, or env:NAME.' },
    model: { ...text, description: 'openai-compatible: the model’s name there.' },
    secret: {
      ...text,
      description: 'openai-compatible: what cache_salt is made with, or env:NAME.',
    },
    folder: { ...text, description: 'llama-cpp: what the server has as --slot-save-path.' },
    sharedCache: {
      type: 'boolean',
      description: 'openai-compatible: all tenants may share the servers’ cache.',
    },
    maxMiB: { type: 'integer', minimum: 1, maximum: 100_000_000 },
    maxContexts: { type: 'integer', minimum: 1, maximum: 1_000_000 },
  }),
  required: ['name'],
  description: 'Another serving framework in the runner’s place.',
};

const MAX_MIB = 4096;
const MAX_CONTEXTS = 1000;

/** Null = our own runner. */
export function readAdapter(
  document: AdapterDocument | undefined,
  readKey: (text: string) => string,
): AdapterSettings | null {
  if (!document) return null;
  const { name, urls = [], key, model = null, secret, folder = null } = document;
  const { sharedCache = false } = document;
  return {
    name,
    urls,
    key: key === undefined ? null : readKey(key),
    model,
    // A name that the environment does not have must not make a secret that everybody can guess.
    secret: secret === undefined ? null : readKey(secret) || null,
    folder,
    sharedCache,
    maxBytes: (document.maxMiB ?? MAX_MIB) * 2 ** 20,
    maxContexts: document.maxContexts ?? MAX_CONTEXTS,
  };
}

/** What --adapter NAME says counts more than the file. */
export const withAdapterName = (
  adapter: AdapterSettings | null,
  name: string | null,
): AdapterSettings | null =>
  name === null ? adapter : { ...(adapter ?? readAdapter({ name }, String)!), name };
