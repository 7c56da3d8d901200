// What the main process and the graph process say to each other; structured clones over the IPC channel, in
// order. A graph's id and a question's id are never used twice.

export type ToGraphs =
  | { readonly type: 'open'; readonly graph: number; readonly capacity: number }
  /** vectors: [labels.length, dimension], unit vectors. `upTo` comes back when all are in. */
  | {
      readonly type: 'add';
      readonly graph: number;
      readonly labels: Uint32Array;
      readonly vectors: Float32Array;
      readonly upTo: number;
    }
  | { readonly type: 'remove'; readonly graph: number; readonly labels: Uint32Array }
  | { readonly type: 'drop'; readonly graph: number }
  /** queries: unit vectors, [dimension]. What is asked together travels together: a message costs as much as a search. */
  | {
      readonly type: 'search';
      readonly graph: number;
      readonly id: number;
      readonly queries: readonly Float32Array[];
      readonly k: number;
    };

export type FromGraphs =
  | { readonly type: 'ready' }
  | { readonly type: 'unavailable'; readonly why: string }
  | { readonly type: 'added'; readonly graph: number; readonly upTo: number }
  /** For each query labels only: similarities are computed where the vectors are. */
  | { readonly type: 'found'; readonly id: number; readonly labels: readonly Uint32Array[] };

/** What the process is started with, as its argument in JSON. */
export interface GraphSettings {
  readonly dimension: number;
  readonly links: number;
  readonly buildWidth: number;
  readonly searchWidth: number;
  /** The package to load. */
  readonly library: string;
}
