// `kvshare serve` as the demo and the benchmarks run it: a real sidecar process that starts a real runner
// process, on free ports, with tenants of its own in a temporary config file. Or the sidecar half alone.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, stopChild } from '../serve/index.ts';

export interface ServedTenant {
  readonly name: string;
  readonly key: string;
}

export interface Served {
  readonly url: string;
  /** GET of what needs the metrics key. */
  monitor(path: '/metrics' | '/readyz'): Promise<Response>;
  close(): Promise<void>;
}

export async function serveTenants(options: {
  readonly command?: 'serve' | 'sidecar';
  readonly tenants: readonly ServedTenant[];
  /** Beside the tenants, what kvshare.yaml says. */
  readonly config?: object;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), 'kvshare-'));
  const config = join(folder, 'kvshare.yaml');
  const tenants = options.tenants.map(({ name, key }) => ({ name, keys: [key] }));
  // JSON is YAML.
  const key = randomUUID();
  const document = { ...options.config, tenants, metrics: { key } };
  await writeFile(config, JSON.stringify(document), { mode: 0o600 });
  const args = [options.command ?? 'serve', '--port', '0', '--config', config, ...options.args];
  try {
    const child = await startChild(args, options.env);
    const url = `http://127.0.0.1:${child.port}`;
    return {
      url,
      monitor: (path) => fetch(`${url}${path}`, { headers: { authorization: `Bearer ${key}` } }),
      close: async () => {
        await stopChild(child, 10_000);
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
