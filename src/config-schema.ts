// kvshare.yaml as a JSON Schema (for editors: `kvshare config schema`), and errors in words with the place.
import { Ajv, type ErrorObject } from 'ajv';
import { adapterSchema } from './config-adapter.ts';
import { didYouMean } from './nearest-name.ts';
import { adminSchema, metricsSchema } from './config-admin.ts';
import { findNameError, findReuseError, reuseSchema, strictObject } from './routes/index.ts';

/** `auto`: word vectors, or without them the model's own rows. */
export const embedderKinds = ['auto', 'word-llama', 'model-rows', 'openai', 'off'] as const;

const text = { type: 'string', minLength: 1 } as const;

const matchSchema = {
  ...strictObject({
    path: {
      ...text,
      description: 'Request path, in upper or lower case; * stands for any characters.',
    },
    model: { ...text, description: 'Model name in the request.' },
    tenant: text,
    key: { ...text, description: 'API key, or env:NAME.' },
    header: { type: 'object', additionalProperties: text, minProperties: 1 },
  }),
  minProperties: 1,
};

const inspectSchema = {
  enum: ['text'],
  description: 'An operator may read the prompts, with the tenant’s key besides the admin key.',
};

/** What can be changed while requests are served. */
const policyProperties = {
  reuse: reuseSchema,
  inspect: inspectSchema,
  routes: {
    type: 'array',
    items: {
      ...strictObject({
        name: { ...text, description: 'In metrics and logs; unlike any other, and not default.' },
        match: matchSchema,
        reuse: reuseSchema,
        inspect: inspectSchema,
      }),
      required: ['match', 'reuse'],
    },
    description: 'The first whose conditions all hold counts; the rest comes from reuse.',
  },
};

export const policySchema = strictObject(policyProperties);

export const configSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'kvshare.yaml',
  ...strictObject({
    tenants: {
      type: 'array',
      items: {
        ...strictObject({
          name: text,
          keys: {
            type: 'array',
            items: { ...text, description: 'API key, or env:NAME for one from the environment.' },
          },
        }),
        required: ['name'],
      },
      description: 'Who may send requests; a tenant shares KV with itself.',
    },
    ...policyProperties,
    admin: adminSchema,
    metrics: metricsSchema,
    record: {
      ...strictObject({
        path: { ...text, description: 'File that requests are appended to, for kvshare replay.' },
        plainTokens: { type: 'boolean', description: 'Token ids as they are, not hashed.' },
        maxMiB: { type: 'integer', minimum: 1, maximum: 1_000_000 },
      }),
      required: ['path'],
      description: 'Keeps token ids (hashed) of every request with an API key.',
    },
    embedder: {
      ...strictObject({
        kind: { enum: embedderKinds, description: 'What turns prompts into vectors.' },
        url: { ...text, description: 'openai: origin and path up to /embeddings.' },
        model: { ...text, description: 'openai: the model to ask for.' },
        key: { ...text, description: 'openai: API key, or env:NAME.' },
        file: { ...text, description: 'Keeps vectors over a restart; as private as the prompts.' },
      }),
      required: ['kind'],
      if: { properties: { kind: { const: 'openai' } } },
      then: { required: ['url', 'model'] },
      description: 'What compares prompts by their meaning.',
    },
    singleFlight: {
      type: 'boolean',
      description: 'Wait for a prompt under way that serves, instead of computing it again.',
    },
    guardFile: {
      ...text,
      description: 'Keeps what the guard knows over a restart; numbers, no texts.',
    },
    healing: {
      type: 'boolean',
      description:
        'Compute prompts that are asked for again, but stored only approximately, exactly when idle.',
    },
    telemetry: {
      ...strictObject({
        otlp: {
          ...text,
          description: 'Collector that gets traces over OTLP/HTTP, http://host:4318.',
        },
      }),
      description: 'Where traces go; OTEL_EXPORTER_OTLP_ENDPOINT wins over it.',
    },
    upstream: { ...text, description: 'Origin for every path that is not ours.' },
    adapter: adapterSchema,
  }),
};

/** "/routes/0/reuse/minRun" → "routes[0].reuse.minRun". */
const placeOf = (pointer: string): string =>
  pointer
    .split('/')
    .slice(1)
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : `${path}.${part}`), '')
    .replace(/^\./, '') || 'the file';

function unknownKey(key: string, place: string, schema: unknown): string {
  const known = Object.keys((schema as { properties?: object }).properties ?? {});
  const hint = didYouMean(key, known);
  return `unknown key "${key}" in ${place}; known keys: ${known.join(', ')}.${hint}`;
}

function explain({ keyword, params, instancePath, message, parentSchema }: ErrorObject): string {
  const place = placeOf(instancePath);
  const { minimum, maximum } = (parentSchema ?? {}) as { minimum?: number; maximum?: number };
  switch (keyword) {
    case 'additionalProperties':
      return unknownKey(params['additionalProperty'] as string, place, parentSchema);
    case 'enum':
      return `${place} must be one of ${(params['allowedValues'] as string[]).join(', ')}.`;
    case 'minimum':
    case 'maximum':
      return minimum !== undefined && maximum !== undefined
        ? `${place} must be a number from ${minimum} to ${maximum}.`
        : `${place} ${message ?? 'is out of range'}.`;
    case 'required':
      return `${place} needs "${params['missingProperty'] as string}".`;
    default:
      return `${place} ${message ?? 'is wrong'}.`;
  }
}

/** What the schema has let through, as far as its parts have to go together. */
type Checked = Parameters<typeof findReuseError>[0] & {
  readonly routes?: Parameters<typeof findNameError>[0];
};

/** Of something that may be this or that, what is wrong with the last: the one with parts. The others in a few words. */
function explainFirst(errors: readonly ErrorObject[]): string {
  const last = errors.at(-1)!;
  if (last.keyword !== 'anyOf') return explain(errors[0]!);
  const instead = errors.flatMap(({ keyword, params, instancePath }) => {
    if (instancePath !== last.instancePath) return [];
    if (keyword === 'const') return [String(params['allowedValue'])];
    return keyword === 'type' && params['type'] === 'null' ? ['null'] : [];
  });
  const or = instead.length > 0 ? `, or be ${instead.join(' or ')}.` : '.';
  return explain(errors.at(-2)!).replace(/\.$/, or);
}

/** What is wrong with a document, in one line with its place; null = nothing. */
function finder(schema: object): (document: unknown) => string | null {
  const validate = new Ajv({ strict: false, verbose: true }).compile(schema);
  return (document) => {
    if (!validate(document)) return explainFirst(validate.errors!);
    const checked = document as Checked;
    return findNameError(checked.routes ?? []) ?? findReuseError(checked);
  };
}

export const findConfigError = finder(configSchema);
export const findPolicyError = finder(policySchema);
