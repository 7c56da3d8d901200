// The admin port in kvshare.yaml and the environment: off without a key, and the key is nobody else's.
import { KvShareError } from './errors.ts';
import { strictObject } from './routes/index.ts';

export interface AdminSettings {
  readonly host: string;
  readonly port: number;
  /** Null = there is no admin port. */
  readonly key: string | null;
}

/** As in the file: every field may be missing, the key may be `env:NAME`. */
export type AdminDocument = Partial<Omit<AdminSettings, 'key'> & { readonly key: string }>;

const SHORTEST_KEY = 16;

export const adminSchema = {
  ...strictObject({
    host: { type: 'string', minLength: 1, description: 'Address to listen on; 127.0.0.1.' },
    port: { type: 'integer', minimum: 0, maximum: 65_535, description: 'Port; 8090.' },
    key: { type: 'string', minLength: 1, description: 'Admin key, or env:NAME. None: no admin.' },
  }),
  description: 'The admin API and the dashboard, on a port of their own.',
};

export const readAdmin = ({
  host = '127.0.0.1',
  port = 8090,
  key = '',
}: AdminDocument): AdminSettings => ({ host, port, key: key === '' ? null : key });

/** Throws `config_invalid` for a key that is easy to guess, or that lets a tenant in. */
export function checkAdmin(
  admin: AdminSettings,
  tenants: readonly { readonly name: string; readonly keys: readonly string[] }[],
): AdminSettings {
  const { key } = admin;
  if (key === null) return admin;
  if (key.length < SHORTEST_KEY) {
    throw new KvShareError('config_invalid', `The admin key needs ${SHORTEST_KEY} characters.`);
  }
  const owner = tenants.find(({ keys }) => keys.includes(key));
  if (owner) {
    throw new KvShareError('config_invalid', `The admin key is also a key of ${owner.name}.`);
  }
  return admin;
}
