// What every suite that starts `kvshare serve` is given.
export interface ServeOptions {
  /** Further arguments of `kvshare serve`, such as --backend. */
  readonly serveArgs: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress: (done: number, total: number, label: string) => void;
}
