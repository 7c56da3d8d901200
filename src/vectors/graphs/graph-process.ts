// Entry of the child process that keeps the HNSW graphs: hnswlib can abort a process, and this one may. Searches
// are answered at once; additions and removals wait in order and get a few milliseconds between two messages.
// Says nothing, writes nothing, ends when its parent is gone.
import { Graph, type Library } from './graph.ts';
import type { FromGraphs, GraphSettings, ToGraphs } from './graph-messages.ts';

/** Of work on graphs between two looks at the channel. */
const SLICE_MS = 3;

type Change = Extract<ToGraphs, { type: 'add' | 'remove' }>;

const settings = JSON.parse(process.argv[2] ?? '') as GraphSettings;
const graphs = new Map<number, Graph>();
const changes: Change[] = [];
/** Vectors of changes[0] that are in. */
let done = 0;
let isBusy = false;

const tell = (message: FromGraphs): void => {
  // A parent that was killed hears nothing more; `disconnect` ends this process.
  process.send?.(message, undefined, undefined, () => undefined);
};

/** One vector, or one message's removals. */
function change(graph: Graph | undefined, next: Change): boolean {
  if (!graph) return true;
  if (next.type === 'remove') {
    for (const label of next.labels) graph.remove(label);
    return true;
  }
  if (done < next.labels.length) {
    const { dimension } = settings;
    graph.add(next.labels[done]!, next.vectors.subarray(done * dimension, (done + 1) * dimension));
    done++;
  }
  return done === next.labels.length;
}

function work(): void {
  const end = performance.now() + SLICE_MS;
  while (changes.length > 0 && performance.now() < end) {
    const next = changes[0]!;
    if (!change(graphs.get(next.graph), next)) continue;
    changes.shift();
    done = 0;
    if (next.type === 'add') tell({ type: 'added', graph: next.graph, upTo: next.upTo });
  }
  isBusy = changes.length > 0;
  if (isBusy) setImmediate(work);
}

function receive(library: Library, message: ToGraphs): void {
  if (message.type === 'open') {
    graphs.set(message.graph, new Graph(library, settings, message.capacity));
  } else if (message.type === 'search') {
    const { graph, id, queries, k } = message;
    const labels = queries.map((query) => graphs.get(graph)?.search(query, k) ?? new Uint32Array());
    tell({ type: 'found', id, labels });
  } else if (message.type === 'drop') {
    graphs.delete(message.graph);
    // A graph's memory is native: the collector does not feel how much hangs on a small object.
    setImmediate(() => globalThis.gc?.());
  } else {
    changes.push(message);
    if (!isBusy) setImmediate(work);
    isBusy = true;
  }
}

process.once('disconnect', () => process.exit(0));
// It died while we were starting.
if (!process.connected) process.exit(0);
// Ctrl-C reaches the whole process group; our parent ends us.
process.on('SIGINT', () => undefined);
try {
  const loaded = (await import(settings.library)) as Library & { default?: Library };
  const library = loaded.default ?? loaded;
  process.on('message', (message) => receive(library, message as ToGraphs));
  tell({ type: 'ready' });
} catch (error) {
  tell({ type: 'unavailable', why: error instanceof Error ? error.message : String(error) });
}
