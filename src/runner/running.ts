// The generations under way of a runner that listens: when it has to end they finish, and none is begun.
import { KvShareError } from '../errors.ts';

export class Running {
  isClosed = false;
  #count = 0;
  #onIdle: () => void = () => undefined;

  enter(): () => void {
    if (this.isClosed) throw new KvShareError('shutting_down', 'This runner is shutting down.');
    this.#count++;
    return () => {
      if (--this.#count === 0) this.#onIdle();
    };
  }

  async idle(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }
}
