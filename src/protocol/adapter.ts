// What an adapter (adapters/<name>) is opened with: another serving framework behind the runner port. What it has to
// know of the model comes from the sidecar's own model file, since both must read the same tokens.
import type { Runner } from './runner.ts';

export interface AdapterOptions {
  /** Origins of the servers; the first is enough for most. */
  readonly urls: readonly string[];
  /** Their API key. */
  readonly key: string | null;
  readonly modelId: string;
  /** Of the model file; a server may have less. */
  readonly contextLength: number;
  /** The model's name on the servers; null = they serve one. */
  readonly serverModel: string | null;
  readonly tokenizer: {
    readonly vocabSize: number;
    /** Special tokens inside the text are not recognised. */
    encode(text: string): readonly number[];
    decode(ids: Iterable<number>): string;
  };
  /** Of model, tokenizer and chat template. */
  readonly fingerprint: string;
  /** New on every start. */
  readonly generation: string;
  /** What scopes are hashed with before they leave; the same for all sidecars in front of the same servers. */
  readonly secret: Uint8Array;
  /** The operator says that all tenants may share one cache; else a server that cannot keep them apart is refused. */
  readonly sharedCache: boolean;
  readonly store: {
    /** Folder that the server saves contexts to, on this machine; null = it saves none. */
    readonly folder: string | null;
    readonly maxBytes: number;
    readonly maxContexts: number;
  };
  readonly onProblem: (what: string, error: unknown) => void;
}

/** Throws KvShareError `config_invalid` when the server cannot be used as it is. */
export type OpenAdapter = (options: AdapterOptions) => Promise<Runner>;

/** What adapters/registry.ts exports. */
export interface AdapterRegistry {
  readonly adapterNames: readonly string[];
  /** Loads the adapter; throws KvShareError `config_invalid` for a name that it does not know. */
  loadAdapter(name: string): Promise<OpenAdapter>;
}
