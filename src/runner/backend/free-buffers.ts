// TensorFlow.js on WebGPU keeps every buffer that was ever freed, by its size, to use it again. KV has another size
// with every token: on a server that would be all of the GPU's memory within minutes. Here the buffers that were not
// used again for longest are given back when the free ones have become many.
interface Buffer {
  readonly size: number;
  readonly usage: number;
  destroy(): void;
}

/** Of TensorFlow.js, as far as it matters here. */
export interface BufferManager {
  /** By size and usage. */
  readonly freeBuffers: Map<string, Buffer[]>;
  readonly usedBuffers: Map<string, Buffer[]>;
  numFreeBuffers: number;
  numBytesAllocated: number;
  readonly numBytesUsed: number;
  releaseBuffer(buffer: Buffer, reuse?: boolean): void;
}

/**
 * `mostBytes` should hold the temporaries of a step: making them anew takes longer than the step. 1,024 rows over 4,000
 * keys have some 0.9 GB, 400 over 1,600 some 0.15.
 */
export function boundFreeBuffers(manager: BufferManager, mostBytes: number): void {
  const { freeBuffers, usedBuffers } = manager;
  const release = manager.releaseBuffer.bind(manager);
  const giveBack = (): void => {
    for (const [key, buffers] of freeBuffers) {
      while (manager.numBytesAllocated - manager.numBytesUsed > mostBytes) {
        const buffer = buffers.pop();
        if (!buffer) break;
        buffer.destroy();
        manager.numFreeBuffers--;
        manager.numBytesAllocated -= buffer.size;
      }
      if (buffers.length > 0) return;
      freeBuffers.delete(key);
    }
  };
  manager.releaseBuffer = (buffer, reuse) => {
    const key = `${buffer.size}_${buffer.usage}`;
    const others = freeBuffers.get(key) ?? [];
    // A map goes through its keys in the order in which they came: this one is now the latest.
    freeBuffers.delete(key);
    freeBuffers.set(key, others);
    release(buffer, reuse);
    if (usedBuffers.get(key)?.length === 0) usedBuffers.delete(key);
    giveBack();
  };
}
