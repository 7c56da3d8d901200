// `kvshare llama-server`: builds llama.cpp's server into the cache for `bench peers`, or says that it is there.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { readSettings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { buildLlamaServer } from '../llama-server/index.ts';
import { progressPrinter } from './progress.ts';

const options = {
  jobs: { type: 'string', default: `${availableParallelism()}` },
  'cache-dir': { type: 'string' },
} as const;

export async function llamaServerCommand(argv: readonly string[]): Promise<void> {
  let values;
  try {
    ({ values } = parseArgs({ args: [...argv], options, strict: true }));
  } catch (error) {
    throw new KvShareError('config_invalid', (error as Error).message);
  }
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) {
    throw new KvShareError(
      'config_invalid',
      `--jobs must be a number from 1, not "${values.jobs}".`,
    );
  }
  const folder = values['cache-dir'];
  const { cacheDir } = readSettings(folder === undefined ? [] : ['--cache-dir', folder]);
  const progress = progressPrinter(process.stderr);
  try {
    const { path, built } = await buildLlamaServer({ cacheDir, jobs, onProgress: progress.step });
    progress.end();
    process.stdout.write(`${built ? 'built' : 'already there'}: ${path}\n`);
  } finally {
    progress.end();
  }
}
