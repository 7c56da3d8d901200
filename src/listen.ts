// An HTTP server that listens, or says why not; and one that stops at once.
import { createServer, type Server, type ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KvShareError } from './errors.ts';

/** For servers that strangers reach. Node looks for late clients every half minute if it is not told otherwise. */
export const serverLimits: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
};

export interface ListenOptions {
  /** 0 picks a free one. */
  readonly port: number;
  readonly host: string;
  /** What sets the port, for messages. */
  readonly flag?: string;
}

/** What the system says about an address that is not to be had here, by its code. */
const unusable: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'no address has that name',
  EAI_AGAIN: 'the name cannot be looked up now',
  EACCES: 'this user may not listen on that port',
  EAFNOSUPPORT: 'this machine does not speak that kind of address',
};

function whyNot(
  { port, host, flag = '--port' }: ListenOptions,
  error: NodeJS.ErrnoException,
): Error {
  const { code = '' } = error;
  if (code === 'EADDRINUSE') {
    const message = `Port ${port} is in use: end what listens there, or set ${flag}.`;
    return new KvShareError('port_in_use', message);
  }
  const why = unusable[code];
  if (why === undefined) return error;
  const other = code === 'EACCES' ? flag : flag.replace(/port$/, 'host');
  const message = `Cannot listen on ${host}, port ${port}: ${why}. Set ${other}.`;
  return new KvShareError('config_invalid', message);
}

/** The port. Rejects with KvShareError `port_in_use`, or `config_invalid` for an address that cannot be had. */
export async function listen(server: Server, address: ListenOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(whyNot(address, error)));
    server.listen(address.port, address.host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** Connections are cut, whatever they carry. */
export async function closeNow(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

/** Before what takes seconds, such as reading a model. Rejects as `listen` does. */
export async function checkFree(addresses: readonly ListenOptions[]): Promise<void> {
  const held: Server[] = [];
  try {
    // Together: two of them may be the same.
    for (const address of addresses) {
      const server = createServer();
      await listen(server, address);
      held.push(server);
    }
  } finally {
    await Promise.all(held.map(closeNow));
  }
}
