// What a child says reaches whoever started its parent, whole, and through as many parents as there are.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';

const source = new URL('../../src/', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'kvshare-child-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(
  args: readonly string[],
  isRead = true,
): Promise<{ status: unknown; stderr: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', ...args]);
  if (!isRead) child.stderr.destroy();
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const status = await new Promise((resolve) => child.once('close', resolve));
  return { status, stderr };
}

it('why a runner did not start is the last that `kvshare serve` says, once', async () => {
  const none = join(folder, 'none.gguf');
  const args = ['serve', '--port', '0', '--model', none, '--backend', 'cpu'];
  const { status, stderr } = await run([new URL('main.ts', source).pathname, ...args]);
  expect(stderr).toMatch(/^kvshare: \w+: [^\n]*none\.gguf[^\n]*\n$/);
  expect(status).toBe(1);
});

it('a child that dies in the middle of a line is heard out', async () => {
  // Instead of `kvshare`: TensorFlow's two lines, a long report, and the end in the middle of a line.
  const dying = join(folder, 'dying.mjs');
  const oneDnn =
    'oneDNN custom operations are on. To turn them off, set `TF_ENABLE_ONEDNN_OPTS=0`.';
  writeFileSync(
    dying,
    `import { writeSync } from 'node:fs';
     if (process.send) {
       writeSync(2, 'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n');
       writeSync(2, 'I0000 00:00:1795689572.777290   20979 port.cc:153] ${oneDnn}\\n');
       writeSync(2, Array.from({ length: 2_000 }, (_, i) => 'line ' + i + '\\n').join(''));
       writeSync(2, 'I0000 00:00:17');
       process.kill(process.pid, 'SIGKILL');
     }`,
  );
  const parent = join(folder, 'parent.mjs');
  writeFileSync(
    parent,
    `import { startChild } from ${JSON.stringify(new URL('serve/index.ts', source).href)};
     await startChild([], process.env).catch(({ code }) => process.exit(code === 'child_failed' ? 3 : 4));`,
  );
  const { status, stderr } = await run(['--import', dying, parent]);
  expect(status).toBe(3);
  const lines = Array.from({ length: 2_000 }, (_, i) => `line ${i}\n`);
  expect(stderr).toBe(`${lines.join('')}I0000 00:00:17`);
  // Nobody reads it: that is no reason to fall.
  expect((await run(['--import', dying, parent], false)).status).toBe(3);
});
