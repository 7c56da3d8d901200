// Who is to be told when a connection is gone. A response that waits for earlier ones of the same connection does not
// learn it by itself, and a client may have sent hundreds of requests ahead: one listener for all of them.
import type { Socket } from 'node:net';

export class ConnectionEnds {
  readonly #watched = new WeakMap<Socket, Set<() => void>>();

  /** Returns how to stop. */
  watch(socket: Socket, onGone: () => void): () => void {
    let watchers = this.#watched.get(socket);
    if (!watchers) {
      const all = (watchers = new Set());
      this.#watched.set(socket, all);
      socket.once('close', () => {
        for (const tell of [...all]) tell();
      });
    }
    const mine = watchers.add(onGone);
    return () => void mine.delete(onGone);
  }
}
