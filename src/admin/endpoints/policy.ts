// Reuse settings by route: read as they are in force, replaced while requests are served. In the words and by the
// schema of kvshare.yaml; what is answered can be sent back.
import { KvShareError } from '../../errors.ts';
import type { RouteReuse, RouteSettings } from '../../routes/index.ts';
import type { Operator } from '../../sidecar/index.ts';
import { flag, orNull, strictObject, text, type Endpoint, type Schema } from '../endpoint.ts';

/** How a policy is written in kvshare.yaml, and where the one in force came from. */
export interface PolicyReader {
  /** Of what `read` takes. */
  readonly schema: Schema;
  /** Throws KvShareError `config_invalid`. */
  readonly read: (document: unknown) => RouteSettings;
  /** The file that is watched for changes; null = none. */
  readonly file: string | null;
}

/** Stands for a key that is not shown. */
const HIDDEN = '***';

function writeReuse({ options, qualityBudget, shadow }: RouteReuse): object {
  const { fallbacks: _, ...settings } = options;
  return { ...settings, qualityBudget, shadow };
}

export function writePolicy({ reuse, routes, inspect }: RouteSettings): Record<string, unknown> {
  return {
    reuse: writeReuse(reuse),
    ...(inspect && { inspect }),
    routes: routes.map(({ name, match, reuse: own, inspect: ownInspect }) => ({
      name,
      match: { ...match, ...(match.key !== undefined && { key: HIDDEN }) },
      reuse: writeReuse(own),
      ...(ownInspect && { inspect: ownInspect }),
    })),
  };
}

interface KeyedDocument {
  readonly routes?: readonly {
    readonly name?: string;
    readonly match: { readonly key?: string };
  }[];
}

/** A hidden key stays the one that the route of that name has. */
function withKeys(document: KeyedDocument, { routes }: RouteSettings): unknown {
  return {
    ...document,
    ...(document.routes && {
      routes: document.routes.map((route) => {
        if (route.match.key !== HIDDEN) return route;
        const key = routes.find(({ name }) => name === route.name)?.match.key;
        if (key !== undefined) return { ...route, match: { ...route.match, key } };
        throw new KvShareError('invalid_request', 'A new route needs its key in full.', 'routes');
      }),
    }),
  };
}

const answer = (policy: Schema): Schema =>
  strictObject({
    policy,
    source: { enum: ['defaults', 'file', 'admin'] },
    file: orNull(text),
    /** A change of the file, or SIGHUP, replaces what was put here. */
    isReplacedByFile: flag,
  });

export function policyEndpoints(operator: Operator, reader: PolicyReader): Endpoint[] {
  let put: RouteSettings | null = null;
  const inForce = () => {
    const source = operator.settings === put ? 'admin' : reader.file === null ? 'defaults' : 'file';
    return {
      policy: writePolicy(operator.settings),
      source,
      file: reader.file,
      isReplacedByFile: source === 'admin' && reader.file !== null,
    };
  };
  const read = (document: unknown): RouteSettings => {
    try {
      return reader.read(withKeys(document as KeyedDocument, operator.settings));
    } catch (error) {
      if (!(error instanceof KvShareError) || error.code !== 'config_invalid') throw error;
      throw new KvShareError('invalid_request', error.message);
    }
  };
  return [
    {
      method: 'get',
      path: '/admin/policy',
      name: 'policy',
      summary: 'The reuse settings in force, by route, and where they came from.',
      answer: answer(reader.schema),
      handle: inForce,
    },
    {
      method: 'put',
      path: '/admin/policy',
      name: 'putPolicy',
      summary: 'Other reuse settings for every request that begins from now on, until a restart.',
      body: reader.schema,
      answer: answer(reader.schema),
      handle: ({ body }) => {
        put = read(body);
        operator.reload(put);
        return inForce();
      },
    },
  ];
}
