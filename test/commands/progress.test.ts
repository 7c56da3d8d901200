// A child's progress rewrites its line where that ends on a terminal, though the child itself writes to its parent.
import { spawnSync } from 'node:child_process';
import { expect, it } from '@jest/globals';

const source = new URL('../../src/', import.meta.url).href;
const program = `
  import { progressPrinter } from '${source}commands/progress.ts';
  import { childEnvironment } from '${source}config.ts';
  const progress = progressPrinter();
  progress.step({ phase: 'model' });
  progress.end();
  process.stdout.write(String(childEnvironment().KVSHARE_ON_TERMINAL));`;

it.each([
  ['a log', {}, 'model\n', 'undefined'],
  ['a terminal behind the parent', { KVSHARE_ON_TERMINAL: '1' }, '\r\u001b[Kmodel\n', '1'],
])('%s', (_, env, wanted, passedOn) => {
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
  const options = { encoding: 'utf8', env: { ...process.env, ...env } } as const;
  const { stderr, stdout } = spawnSync(process.execPath, args, options);
  expect([stderr, stdout]).toEqual([wanted, passedOn]);
});
