// A folder of scripts that stand for outside tools (npm, pip, compilers), and `kvshare` run with nothing else on its
// PATH: failures can be arranged and nothing is downloaded.
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface FakeTools {
  readonly tool: (name: string, script: string) => void;
  readonly node: (args: readonly string[]) => ChildProcess;
}

export function fakeTools(folder: string): FakeTools {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  symlinkSync('/usr/bin/env', join(bin, 'env'));
  return {
    tool: (name, script) => {
      const path = join(bin, name);
      writeFileSync(path, `#!/bin/sh\n${script}\n`);
      chmodSync(path, 0o755);
    },
    node: (args) =>
      spawn(process.execPath, ['--import', 'tsx', ...args], {
        cwd: root,
        env: { PATH: bin, HOME: folder },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
  };
}

export async function outcome(
  child: ChildProcess,
): Promise<{ code: number | null; lines: string[] }> {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, lines: text.trim().split('\n') };
}
