// The main process's end of the graph process: starts it when a scope first needs it, starts it again with growing
// pauses when it dies, ends it when it hangs. Whoever waits for an answer is told at once that none will come.
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromGraphs, GraphSettings, ToGraphs } from './graph-messages.ts';

export interface GraphLinkOptions {
  readonly settings: GraphSettings;
  readonly owner: GraphOwner;
  /** Pause before the first restart; doubled up to 64 times that while the process keeps dying. */
  readonly restartMs: number;
  /** Without any sign of life while it owes us an answer. */
  readonly stallMs: number;
}

/** Whoever has graphs in the process. */
export interface GraphOwner {
  /** A process with no graphs in it. */
  onUp(): void;
  /** Each time it is gone unasked; once when it can never work here. */
  onDown(why: string): void;
  onAdded(graph: number, upTo: number): void;
}

const MAX_DOUBLINGS = 6;
/** Looks at a silent process before it is killed. */
const LOOKS = 10;
/** A process that lived this long is not taken for one that keeps dying. */
const HEALTHY_MS = 10_000;

function start(settings: GraphSettings): ChildProcess {
  const here = fileURLToPath(import.meta.url);
  const isSource = here.endsWith('.ts');
  const entry = new URL(isSource ? './graph-process.ts' : './graph-process.js', import.meta.url);
  // Not our own options: they may name a script or a debugger's port.
  const loader = isSource ? ['--import', 'tsx'] : [];
  return fork(fileURLToPath(entry), [JSON.stringify(settings)], {
    // Its memory is native and its own heap is garbage soon.
    execArgv: [...loader, '--expose-gc', '--max-semi-space-size=1'],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

export class GraphLink {
  readonly #options: GraphLinkOptions;
  readonly #questions = new Map<number, (labels: readonly Uint32Array[] | null) => void>();
  #child: ChildProcess | null = null;
  #isUp = false;
  #isClosed = false;
  #isHopeless = false;
  #nextId = 0;
  #failures = 0;
  #startedAt = 0;
  /** Looks at it since it said something. Not a time: while we are blocked ourselves, it cannot be heard. */
  #silentLooks = 0;
  /** Additions that are not confirmed. */
  #owed = 0;
  #restart: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: GraphLinkOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get unconfirmed(): number {
    return this.#owed;
  }

  freshId(): number {
    return this.#nextId++;
  }

  /** Somebody has use for the process. */
  need(): void {
    if (this.#child || this.#isClosed || this.#isHopeless || this.#restart) return;
    const child = start(this.#options.settings);
    this.#child = child;
    this.#startedAt = performance.now();
    child.on('message', (message) => this.#receive(message as FromGraphs));
    child.on('error', (error) => this.#lose(child, error.message));
    child.on('exit', (code, signal) => this.#lose(child, `it ended with ${signal ?? code ?? '?'}`));
    // It must not keep a process alive that has nothing else to do.
    child.unref();
    child.channel?.unref();
  }

  send(message: ToGraphs): void {
    if (!this.#isUp || !this.#child) return;
    this.#expectSign();
    if (message.type === 'add') this.#owed++;
    // The exit event says what is to be said when it does not arrive.
    this.#child.send(message, () => undefined);
  }

  /** For each query labels, best first; null when no answer will come. */
  ask(
    graph: number,
    queries: readonly Float32Array[],
    k: number,
  ): Promise<readonly Uint32Array[] | null> {
    if (!this.#isUp) return Promise.resolve(null);
    const id = this.freshId();
    return new Promise((resolve) => {
      this.#questions.set(id, resolve);
      this.send({ type: 'search', graph, id, queries, k });
    });
  }

  /** Resolves when no process is left. It has nothing to save, so it is not asked. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (!child) return;
    await new Promise<void>((resolve) => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
        resolve();
        return;
      }
      child.ref();
      child.once('exit', () => resolve());
      child.kill('SIGKILL');
    });
  }

  #receive(message: FromGraphs): void {
    this.#silentLooks = 0;
    if (message.type === 'ready') {
      this.#isUp = true;
      this.#options.owner.onUp();
    } else if (message.type === 'unavailable') {
      this.#isHopeless = true;
      this.#options.owner.onDown(message.why);
      this.#child?.kill('SIGKILL');
    } else if (message.type === 'added') {
      this.#owed--;
      this.#options.owner.onAdded(message.graph, message.upTo);
    } else {
      this.#questions.get(message.id)?.(message.labels);
      this.#questions.delete(message.id);
    }
  }

  #lose(child: ChildProcess, why: string): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#isUp = false;
    this.#owed = 0;
    clearInterval(this.#watch);
    this.#watch = undefined;
    for (const resolve of this.#questions.values()) resolve(null);
    this.#questions.clear();
    if (this.#isClosed || this.#isHopeless) return;
    this.#options.owner.onDown(why);
    const isHealthy = performance.now() - this.#startedAt > HEALTHY_MS;
    this.#failures = isHealthy ? 0 : this.#failures + 1;
    const doublings = Math.min(MAX_DOUBLINGS, Math.max(0, this.#failures - 1));
    this.#restart = setTimeout(
      () => {
        this.#restart = undefined;
        this.need();
      },
      this.#options.restartMs * 2 ** doublings,
    );
    this.#restart.unref();
  }

  #expectSign(): void {
    if (this.#watch) return;
    this.#silentLooks = 0;
    const lookMs = this.#options.stallMs / LOOKS;
    this.#watch = setInterval(() => {
      const isOwed = this.#owed > 0 || this.#questions.size > 0;
      if (isOwed && ++this.#silentLooks > LOOKS) this.#child?.kill('SIGKILL');
      if (isOwed) return;
      clearInterval(this.#watch);
      this.#watch = undefined;
    }, lookMs);
    this.#watch.unref();
  }
}
