// How many freed buffers are kept, with a manager as TensorFlow.js has one.
import { expect, it } from '@jest/globals';
import { boundFreeBuffers, type BufferManager } from '../../../src/runner/backend/free-buffers.ts';

interface FakeBuffer {
  readonly size: number;
  readonly usage: number;
  destroy(): void;
}

function fakeManager() {
  const destroyed: number[] = [];
  const manager = {
    freeBuffers: new Map<string, FakeBuffer[]>(),
    usedBuffers: new Map<string, FakeBuffer[]>(),
    numFreeBuffers: 0,
    numBytesAllocated: 0,
    numBytesUsed: 0,
    releaseBuffer(buffer: FakeBuffer) {
      const key = `${buffer.size}_${buffer.usage}`;
      this.freeBuffers.set(key, [...(this.freeBuffers.get(key) ?? []), buffer]);
      this.numFreeBuffers++;
      this.numBytesUsed -= buffer.size;
    },
  };
  const use = (size: number): FakeBuffer => {
    manager.numBytesAllocated += size;
    manager.numBytesUsed += size;
    return { size, usage: 1, destroy: () => void destroyed.push(size) };
  };
  const free = (): number => manager.numBytesAllocated - manager.numBytesUsed;
  return { manager: manager as BufferManager & typeof manager, use, free, destroyed };
}

it('keeps what fits, and gives back first what was not used again for longest', () => {
  const { manager, use, free, destroyed } = fakeManager();
  boundFreeBuffers(manager, 100);
  const [old, middle, young] = [40, 50, 30].map(use) as [FakeBuffer, FakeBuffer, FakeBuffer];
  manager.releaseBuffer(old);
  manager.releaseBuffer(middle);
  expect([free(), destroyed]).toEqual([90, []]);
  manager.releaseBuffer(young);
  expect([free(), destroyed, manager.numFreeBuffers]).toEqual([80, [40], 2]);
  // One that alone is too large does not stay either, and takes the others with it.
  manager.releaseBuffer(use(101));
  expect([free(), destroyed, manager.numFreeBuffers]).toEqual([0, [40, 50, 30, 101], 0]);
  expect(manager.freeBuffers.size).toBe(0);
});
