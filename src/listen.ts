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

/** The port. Rejects with KvShareError `port_in_use`. */
export async function listen(
  server: Server,
  { port, host, flag = '--port' }: ListenOptions,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const busy = error.code === 'EADDRINUSE';
      const message = `Port ${port} is in use: end what listens there, or set ${flag}.`;
      reject(busy ? new KvShareError('port_in_use', message) : error);
    });
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** Connections are cut, whatever they carry. */
export async function closeNow(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

/** Before what takes seconds, such as reading a model. Rejects with KvShareError `port_in_use`. */
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
