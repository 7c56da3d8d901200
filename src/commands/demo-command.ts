// `kvshare demo [--json FILE]`: provisions, then plays the demo.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { childEnvironment, readSettings } from '../config.ts';
import { runDemo } from '../demo/index.ts';
import { KvShareError } from '../errors.ts';

const options = {
  json: { type: 'string' },
  backend: { type: 'string', default: 'auto' },
  'kv-bytes': { type: 'string', default: '1GiB' },
} as const;

export async function demoCommand(argv: readonly string[]): Promise<void> {
  let values;
  try {
    ({ values } = parseArgs({ args: [...argv], options, strict: true }));
  } catch (error) {
    throw new KvShareError('config_invalid', (error as Error).message);
  }
  const settings = readSettings(['--backend', values.backend]);
  const stop = new AbortController();
  process.on('SIGINT', () => stop.abort());
  process.on('SIGTERM', () => stop.abort());
  const args = ['--backend', settings.backend, '--kv-bytes', values['kv-bytes']];
  try {
    const report = await runDemo({
      serveArgs: [...args, '--log-level', 'warn'],
      env: childEnvironment(),
      print: (line) => process.stdout.write(`${line}\n`),
      signal: stop.signal,
    });
    if (values.json) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.exitCode = 130;
  }
}
