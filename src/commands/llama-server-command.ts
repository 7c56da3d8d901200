// `kvshare llama-server`: builds llama.cpp's server into the cache for `bench peers`, or says that it is there.
import { readSettings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { parseFlags } from '../flags.ts';
import { buildLlamaServer } from '../llama-server/index.ts';
import { tools } from './catalog/index.ts';
import { progressPrinter } from './progress.ts';

export async function llamaServerCommand(argv: readonly string[]): Promise<void> {
  const { values } = parseFlags(argv, tools['llama-server'].flags);
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) {
    throw new KvShareError(
      'config_invalid',
      `--jobs must be a number from 1, not "${values.jobs}".`,
    );
  }
  const folder = values['cache-dir'];
  const { cacheDir } = readSettings(folder === undefined ? [] : ['--cache-dir', folder]);
  const progress = progressPrinter();
  try {
    const found = await buildLlamaServer({ cacheDir, jobs, onProgress: progress.step });
    progress.end();
    const line = `${found.built ? 'built' : 'already there'}: ${found.path}`;
    process.stdout.write(`${values.json ? JSON.stringify(found) : line}\n`);
  } finally {
    progress.end();
  }
}
