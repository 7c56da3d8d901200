// `kvshare instant-runner`: a runner without a model, for `bench overhead` and for trying out a sidecar's configuration.
import { InstantRunner } from '../bench/index.ts';
import { readSettings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { parseFlags } from '../flags.ts';
import { serveRunner } from '../runner/server.ts';
import { announceReady } from '../serve/index.ts';
import { tools } from './catalog/index.ts';
import { runUntilSignal } from './run-until-signal.ts';

export async function instantRunnerCommand(argv: readonly string[]): Promise<void> {
  const { values } = parseFlags(argv, tools['instant-runner'].flags);
  const paceMs = Number(values['pace-ms']);
  if (!(paceMs >= 0)) {
    throw new KvShareError('config_invalid', `--pace-ms: "${values['pace-ms']}" is no time.`);
  }
  const { port, host } = readSettings(['--port', values.port]);
  const runner = new InstantRunner({
    paceMs,
    modelId: 'instant',
    onAnswered: (times) => process.send?.(times),
  });
  const server = await serveRunner(runner, { port, host });
  announceReady(server.port);
  process.stderr.write(`kvshare instant runner on http://${host}:${server.port}\n`);
  await runUntilSignal(() => server.close());
}
