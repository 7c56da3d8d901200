// An admin server on a real port, and a client that holds every answer against the document that describes it.
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from '@jest/globals';
import { createAdmin } from '../../src/admin/index.ts';
import { readPolicyDocument } from '../../src/commands/start-admin.ts';
import { policySchema } from '../../src/config-schema.ts';
import type { Sidecar } from '../../src/sidecar/index.ts';
import { memoryLog, tenants, type Asked } from './served.ts';

export const ADMIN_KEY = 'an-admin-key-for-tests';

export interface Call {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
}
interface Operation {
  readonly responses: Record<'200', { content: Record<string, { schema: object }> }>;
}

export async function serveAdmin(
  { operator }: Pick<Sidecar, 'operator'>,
  file: string | null = null,
) {
  const log = memoryLog();
  const admin = createAdmin({
    operator,
    key: ADMIN_KEY,
    tenants: tenants.map(({ name }) => name),
    policy: { schema: policySchema, read: readPolicyDocument, file },
    log,
    now: () => performance.now(),
  });
  const url = `http://127.0.0.1:${await admin.listen({ port: 0, host: '127.0.0.1' })}`;
  const document = (await (await fetch(`${url}/admin/openapi.json`)).json()) as Document;
  const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } });
  const seen = new Set<string>();

  async function call(target: string, { body, headers }: Call = {}): Promise<Asked> {
    const [method, path] = target.split(' ') as [string, string];
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${ADMIN_KEY}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as object;
    const operation = document.paths[path.split('?')[0]!]?.[method.toLowerCase()];
    if (response.status === 200) {
      expect(operation).toBeDefined();
      const { schema } = operation!.responses['200'].content['application/json']!;
      const isAsDescribed = ajv.validate(schema, answer);
      expect(isAsDescribed ? null : { target, errors: ajv.errors }).toBeNull();
      seen.add(`${method} ${path.split('?')[0]}`);
    }
    return { status: response.status, headers: response.headers, body: answer };
  }
  return { url, call, document, seen, log, close: () => admin.close() };
}
