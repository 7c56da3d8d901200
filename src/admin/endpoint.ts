// One endpoint of the admin API: what it takes, what it answers and what it does. The routes and the OpenAPI document
// are both made from these, so they cannot say different things.
import { Ajv, type ValidateFunction } from 'ajv';
import type { Request, Response } from 'express';
import { KvShareError } from '../errors.ts';

export type Schema = Readonly<Record<string, unknown>>;

export interface Asked {
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  readonly header: (name: string) => string | undefined;
}

interface Described {
  readonly method: 'get' | 'put' | 'post' | 'delete';
  readonly path: `/${string}`;
  /** In camel case, unique. */
  readonly name: string;
  readonly summary: string;
  /** Whether it is served without the admin key. */
  readonly isOpen?: boolean;
  /** By name of the parameter. */
  readonly query?: Readonly<Record<string, Schema>>;
  /** Parameters that must be given. */
  readonly needs?: readonly string[];
  readonly body?: Schema;
  /** Of the JSON answer, or of each event of a stream. */
  readonly answer: Schema;
}

export type Endpoint = Described &
  (
    | { readonly handle: (asked: Asked) => object | Promise<object> }
    | { readonly stream: (response: Response) => void }
  );

export const strictObject = (
  properties: Readonly<Record<string, unknown>>,
  required: readonly string[] = Object.keys(properties),
): Schema => ({ type: 'object', additionalProperties: false, properties, required });

export const listOf = (items: Schema): Schema => ({ type: 'array', items });
export const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });
export const text: Schema = { type: 'string', minLength: 1 };
export const flag: Schema = { type: 'boolean' };
export const number: Schema = { type: 'number' };
export const count: Schema = { type: 'integer', minimum: 0 };

function checker(ajv: Ajv, schema: Schema): (value: unknown, where: string) => void {
  const isValid: ValidateFunction = ajv.compile(schema);
  return (value, where) => {
    if (isValid(value)) return;
    const [error] = isValid.errors ?? [];
    const place = `${where}${(error?.instancePath ?? '').replaceAll('/', '.')}`;
    const more = error?.keyword === 'additionalProperties';
    const name = more ? ` ("${error.params['additionalProperty'] as string}")` : '';
    throw new KvShareError('invalid_request', `${place} ${error?.message ?? 'is wrong'}${name}.`);
  };
}

/** Reads a request as the endpoint describes it. Throws `invalid_request`. */
export function readerOf({ query = {}, needs = [], body }: Endpoint): (request: Request) => Asked {
  const options = { strict: false, allErrors: false };
  // Everything in a query is text.
  const checkQuery = checker(
    new Ajv({ ...options, coerceTypes: true }),
    strictObject(query, needs),
  );
  const checkBody = body && checker(new Ajv(options), body);
  return (request) => {
    const given = { ...request.query } as Record<string, unknown>;
    checkQuery(given, 'query');
    checkBody?.(request.body, 'body');
    const gone = new AbortController();
    request.res?.on('close', () => gone.abort());
    return {
      query: given,
      // What nobody has described nobody reads.
      body: body ? (request.body as unknown) : null,
      signal: gone.signal,
      header: (name) => request.get(name),
    };
  };
}
