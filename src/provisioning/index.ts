// Getting things onto this machine safely: tools with progress, locks, verified files. Knows nothing of
// what is fetched.
export { withFolderLock } from './folder-lock.ts';
export { pipDownload } from './pip-download.ts';
export { runTool } from './run-tool.ts';
export type { OnProgress } from './run-tool.ts';
export { publishFile, sha256File } from './verified-file.ts';
export { ensureWheelFiles, extractFromWheel } from './wheel-files.ts';
export type { PinnedWheel } from './wheel-files.ts';
