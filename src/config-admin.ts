// What is the operator's in kvshare.yaml and the environment: the admin port, off without a key, and the key for metrics.
// Each is nobody else's.
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

export interface MetricsSettings {
  /** Null = nobody may read them, where there are tenants. */
  readonly key: string | null;
}

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

export const metricsSchema = {
  ...strictObject({
    key: { type: 'string', minLength: 1, description: 'Metrics key, or env:NAME.' },
  }),
  description: 'Opens /metrics and the details of /readyz on the tenants’ port.',
};

interface Keyed {
  readonly admin: AdminSettings;
  readonly metrics: MetricsSettings;
  readonly tenants: readonly { readonly name: string; readonly keys: readonly string[] }[];
}

/** Throws `config_invalid` for a key that is easy to guess, or that somebody else has. */
export function checkOperatorKeys({ admin, metrics, tenants }: Keyed): void {
  const wrong = (what: string): KvShareError => new KvShareError('config_invalid', what);
  for (const [name, key] of [
    ['admin', admin.key],
    ['metrics', metrics.key],
  ] as const) {
    if (key === null) continue;
    if (key.length < SHORTEST_KEY) {
      throw wrong(`The ${name} key needs ${SHORTEST_KEY} characters.`);
    }
    const owner = tenants.find(({ keys }) => keys.includes(key));
    if (owner) throw wrong(`The ${name} key is also a key of ${owner.name}.`);
  }
  if (admin.key !== null && admin.key === metrics.key) {
    throw wrong('The metrics key is also the admin key: whoever scrapes could delete.');
  }
}
