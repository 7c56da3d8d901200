// A control group with a limit of memory, as a container has one: of the first or the second version, where this process may
// make one.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Cgroup {
  /** From now on it takes from this memory, and so do its children. */
  add(pid: number): void;
  /** Processes that the kernel has ended for want of memory. */
  readonly killed: () => number;
  /** How often the limit was reached, and what can be read again given up. */
  readonly reached: () => number;
  /** Once nobody is in it. */
  remove(): void;
}

const versions = [
  {
    root: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    kills: ['memory.oom_control', /^oom_kill (\d+)/m],
    reaches: ['memory.failcnt', /^(\d+)/],
  },
  {
    root: '/sys/fs/cgroup',
    limit: 'memory.max',
    kills: ['memory.events', /^oom_kill (\d+)/m],
    reaches: ['memory.events', /^max (\d+)/m],
  },
] as const;

/** Null where none can be made. */
/** The kernel counts a process in for a moment after it is gone. */
function removeWhenEmpty(folder: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let left = 100; ; left--) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      if (left === 0 || (error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
      Atomics.wait(pause, 0, 0, 50);
    }
  }
}

export function makeCgroup(bytes: number): Cgroup | null {
  for (const { root, limit, kills, reaches } of versions) {
    const folder = join(root, `kvshare-test-${process.pid}-${Date.now()}`);
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, limit), `${bytes}`);
      if (existsSync(join(folder, 'memory.swap.max'))) {
        writeFileSync(join(folder, 'memory.swap.max'), '0');
      }
    } catch {
      if (existsSync(folder)) rmdirSync(folder);
      continue;
    }
    const count = ([file, pattern]: readonly [string, RegExp]): number =>
      Number(pattern.exec(readFileSync(join(folder, file), 'utf8'))![1]);
    return {
      add: (pid) => writeFileSync(join(folder, 'cgroup.procs'), `${pid}`),
      killed: () => count(kills),
      reached: () => count(reaches),
      remove: () => removeWhenEmpty(folder),
    };
  }
  return null;
}
