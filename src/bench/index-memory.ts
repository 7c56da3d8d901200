// Memory of the index benchmark: this process's heap and buffers, and the process that holds the graphs.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { VectorIndexes } from '../vectors/index.ts';

const PATIENCE_MS = 60_000;
const SETTLED_MS = 500;

/** Bytes in use, behind a collection. */
export function memoryHere(): number {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  // What the first one finalises only the second one frees.
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Of the graph process, bytes; 0 where that cannot be read. */
export function residentOf({ childPid }: VectorIndexes): number {
  if (childPid === undefined) return 0;
  try {
    const pages = readFileSync(`/proc/${childPid}/statm`, 'utf8').split(' ')[1];
    return Number(pages) * 4096;
  } catch {
    return 0;
  }
}

/** Vectors that pass through a graph process before it counts as empty: compilers and messages take memory too. */
const PASSED = 1_000;

/** Of a graph process that has nothing to keep: node itself and the library. */
export async function emptyGraphProcess(dimension: number): Promise<number> {
  const vectors = new VectorIndexes({ dimension, bruteForceLimit: 0 });
  const index = vectors.open();
  const direction = (i: number): Float32Array =>
    Float32Array.from({ length: dimension }, (_, j) => Math.sin(1 + i * (j + 1)));
  const labels = Array.from({ length: PASSED }, (_, i) => index.add(direction(i)));
  const end = performance.now() + PATIENCE_MS;
  while (index.lag > 0 && performance.now() < end) await sleep(50);
  for (const label of labels) index.remove(label);
  await sleep(SETTLED_MS);
  const bytes = residentOf(vectors);
  await vectors.close();
  return bytes;
}
