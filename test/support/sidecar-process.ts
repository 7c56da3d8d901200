// `kvshare sidecar` as a process of its own, as an operator starts it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const main = new URL('../../src/main.ts', import.meta.url).pathname;
const PATIENCE_MS = 60_000;

/** `config` is what kvshare.yaml says. */
export async function startSidecarProcess(
  config: object,
  args: readonly string[],
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'kvshare-sidecar-'));
  const path = join(folder, 'kvshare.yaml');
  // JSON is YAML.
  writeFileSync(path, JSON.stringify(config));
  const command = ['--import', 'tsx', main, 'sidecar', '--port', '0', '--config', path, ...args];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (): void => reject(new Error(`the sidecar did not start: ${stderr}`));
    const timer = setTimeout(fail, PATIENCE_MS);
    child.once('exit', fail);
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      const found = /sidecar on (http:\S+)/.exec(stderr);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[1]!);
    });
  });
  return {
    url,
    close: async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
      rmSync(folder, { recursive: true });
    },
  };
}
