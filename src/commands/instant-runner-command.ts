// `kvshare instant-runner`: a runner without a model, for `bench overhead` and for trying out a sidecar's configuration.
import { parseArgs } from 'node:util';
import { InstantRunner } from '../bench/index.ts';
import { readSettings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { serveRunner } from '../runner/server.ts';
import { announceReady } from '../serve/index.ts';
import { runUntilSignal } from './run-until-signal.ts';

const options = {
  port: { type: 'string', default: '8080' },
  'pace-ms': { type: 'string', default: '4' },
} as const;

export async function instantRunnerCommand(argv: readonly string[]): Promise<void> {
  let values;
  try {
    ({ values } = parseArgs({ args: [...argv], options, strict: true }));
  } catch (error) {
    throw new KvShareError('config_invalid', (error as Error).message);
  }
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
