// Run as a script, `fail-on-webgpu.ts CACHE-DIR`: what a WebGPU backend does with memory and when it fails, as JSON in
// the last line, behind what Dawn says itself.
import { loadBackend } from '../../src/runner/backend/index.ts';

const { tf, failed } = await loadBackend({
  requested: 'webgpu',
  cacheDir: process.argv[2]!,
  allowBuild: false,
  allowCpu: true,
});
interface GpuMemory {
  readonly numBytesInGPU: number;
  readonly numBytesAllocatedInGPU: number;
}

// As many sizes as a growing cache has, 16 MiB each.
let mostBytes = 0;
for (let more = 0; more < 20; more++) {
  tf.dispose(tf.fill([2 ** 22 + more], 1));
  const { numBytesAllocatedInGPU, numBytesInGPU } = tf.memory() as unknown as GpuMemory;
  mostBytes = Math.max(mostBytes, numBytesAllocatedInGPU - numBytesInGPU);
}

const square = tf.ones([4, 4]);
const product = [...(await tf.matMul(square, square).data())];
// Two thousand million bytes in one buffer: no device gives that.
const huge = tf.fill([2 ** 29], 1);
const part = tf.slice(huge, [0], [4]);
const told = (reading: Promise<unknown>): Promise<string> =>
  reading.then(
    () => 'read',
    (error: unknown) => (error as Error).message,
  );
const report = {
  freeBytes: mostBytes,
  product,
  hugeRead: await told(part.data()),
  laterRead: await told(tf.matMul(square, square).data()),
  failed: await failed,
};
process.stdout.write(`\n${JSON.stringify(report)}`, () => process.exit(0));
