// The OpenAPI document of the admin API, made from the endpoints that are served.
import { errorStatus } from '../errors.ts';
import { listOf, orNull, strictObject, text, type Endpoint, type Schema } from './endpoint.ts';

const errorSchema = strictObject({
  error: strictObject({
    message: { type: 'string' },
    type: { type: 'string' },
    param: orNull(text),
    code: { enum: Object.keys(errorStatus) },
  }),
});

const json = (schema: Schema): Schema => ({ 'application/json': { schema } });

function operationOf(endpoint: Endpoint): Schema {
  const { name, summary, query = {}, needs = [], body, answer, isOpen = false } = endpoint;
  const isStream = 'stream' in endpoint;
  return {
    operationId: name,
    summary,
    ...(isOpen && { security: [] }),
    parameters: Object.entries(query).map(([parameter, schema]) => ({
      name: parameter,
      in: 'query',
      required: needs.includes(parameter),
      schema,
    })),
    ...(body && { requestBody: { required: true, content: json(body) } }),
    responses: {
      '200': {
        description: isStream ? 'Events; the data of each has this shape.' : 'Done.',
        content: isStream ? { 'text/event-stream': { schema: answer } } : json(answer),
      },
      default: {
        description: 'An error with a stable code.',
        content: json({ $ref: '#/components/schemas/Error' }),
      },
    },
  };
}

export function openApiOf(endpoints: readonly Endpoint[]): object {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const endpoint of endpoints) {
    (paths[endpoint.path] ??= {})[endpoint.method] = operationOf(endpoint);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'KVShare admin API',
      version: '1',
      description: 'For operators: donors, audit, policy, guard. No prompt text but by inspection.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ adminKey: [] }],
    paths,
    components: {
      securitySchemes: { adminKey: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: errorSchema },
    },
  };
}

/** What serves the document, and is a part of it. */
export function openApiEndpoint(others: readonly Endpoint[]): Endpoint {
  const endpoint: Endpoint = {
    method: 'get',
    path: '/admin/openapi.json',
    name: 'openApi',
    summary: 'This document.',
    isOpen: true,
    answer: {
      type: 'object',
      properties: { openapi: text, paths: { type: 'object' }, servers: listOf({ type: 'object' }) },
      required: ['openapi', 'paths'],
    },
    handle: () => openApiOf([...others, endpoint]),
  };
  return endpoint;
}
