// `kvshare demo [--json FILE]`: provisions, then plays the demo.
import { writeFile } from 'node:fs/promises';
import { childEnvironment, readSettings } from '../config.ts';
import { runDemo } from '../demo/index.ts';
import { parseFlags } from '../flags.ts';
import { tools } from './catalog/index.ts';

export async function demoCommand(argv: readonly string[]): Promise<void> {
  const { values } = parseFlags(argv, tools.demo.flags);
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
