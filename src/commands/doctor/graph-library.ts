// The library of large vector indexes: an addon that npm compiles, unless it may not run install scripts.
import { findingsOf, type Finding } from './finding.ts';

const REMEDY =
  'npm rebuild hnswlib-node (python3, make, g++; npm 12 asks for npm install-scripts approve hnswlib-node first)';

export async function checkGraphLibrary(library = 'hnswlib-node'): Promise<Finding> {
  const finding = findingsOf('index');
  try {
    await import(library);
    return finding.ok(`${library} loads`);
  } catch {
    const says = `${library} was not built: beyond 62,500 passages a tenant likeness is looked for in bounded time only`;
    return finding.warn(says, REMEDY);
  }
}
