// The admin port of a sidecar, when there is a key for it.
import { createAdmin } from '../admin/index.ts';
import { findPolicyError, policySchema } from '../config-schema.ts';
import { readPolicy, type PolicyDocument } from '../config-file.ts';
import type { Settings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import type { ListenOptions } from '../listen.ts';
import type { Operator } from '../sidecar/index.ts';
import type { Log } from '../telemetry/index.ts';

/** Throws `config_invalid`. A policy that comes over the network reads no environment. */
export function readPolicyDocument(document: unknown): ReturnType<typeof readPolicy> {
  const wrong = findPolicyError(document);
  if (wrong !== null) throw new KvShareError('config_invalid', wrong);
  return readPolicy(document as PolicyDocument, {});
}

const addressOf = ({ host, port }: Settings['admin']): ListenOptions => ({
  host,
  port,
  flag: '--admin-port',
});

/** Where a sidecar listens. */
export const addressesOf = ({ host, port, admin }: Settings): ListenOptions[] => [
  { host, port },
  ...(admin.key === null ? [] : [addressOf(admin)]),
];

/** Returns how to stop. */
export async function startAdmin(
  { admin, tenants, configPath }: Settings,
  operator: Operator,
  log: Log,
): Promise<() => Promise<void>> {
  const { key } = admin;
  if (key === null) return () => Promise.resolve();
  const server = createAdmin({
    operator,
    key,
    tenants: tenants.map(({ name }) => name),
    policy: { schema: policySchema, read: readPolicyDocument, file: configPath },
    log,
    now: () => performance.now(),
  });
  const bound = await server.listen(addressOf(admin));
  process.stderr.write(`kvshare admin on http://${admin.host}:${bound}\n`);
  return () => server.close();
}
