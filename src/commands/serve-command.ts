// `kvshare serve`: a runner process, kept alive, and a sidecar in front of it, on one machine.
import { kvArguments } from '../config-kv.ts';
import { logArgument } from '../config-log.ts';
import { tracesEnvironment } from '../config-telemetry.ts';
import { runnerEnvironment, type Settings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { checkFree } from '../listen.ts';
import { RunnerClient } from '../runner/client.ts';
import { announceReady, superviseRunner } from '../serve/index.ts';
import { createLog, type Log } from '../telemetry/index.ts';
import { runUntilSignal } from './run-until-signal.ts';
import { startSidecar } from './sidecar-command.ts';
import { openModelParts, openSidecarParts, type SidecarParts } from './sidecar-parts.ts';
import { addressesOf } from './start-admin.ts';
import { startTraces } from './start-traces.ts';

/** What nobody has set is the runner's to choose. */
const given = (flag: string, value: string | number | null): string[] =>
  value === null ? [] : [flag, `${value}`];

const runnerArgs = (settings: Settings): string[] => [
  ...['--backend', settings.backend],
  ...['--without-gpu', settings.withoutGpu],
  ...given('--kv-bytes', settings.kvBytes),
  ...['--scheduler', settings.scheduler],
  ...['--precision', settings.precision],
  ...given('--step-tokens', settings.stepTokens),
  ...given('--shared-step-tokens', settings.sharedStepTokens),
  ...kvArguments(settings.kv),
  ...['--log-level', logArgument(settings.logLevels)],
  ...['--cache-dir', settings.cacheDir],
  ...given('--model', settings.modelPath),
];

const openParts = async (settings: Settings, log: Log): Promise<SidecarParts> =>
  openSidecarParts(settings, await openModelParts(settings), true, log);

export async function serveCommand(settings: Settings): Promise<void> {
  if (settings.adapter) {
    const message = 'kvshare serve runs its own runner; with an adapter, use kvshare sidecar.';
    throw new KvShareError('config_invalid', message);
  }
  await checkFree(addressesOf(settings));
  const stopTraces = await startTraces(settings, 'kvshare-sidecar');
  const log = createLog({ level: settings.logLevels.serve, name: 'serve' });
  const sidecarLog = createLog({ level: settings.logLevels.sidecar, name: 'sidecar' });
  const opening = openParts(settings, sidecarLog);
  // It is told when the runner is up, or did not come up.
  opening.catch(() => undefined);
  const runner = await superviseRunner({
    args: runnerArgs(settings),
    env: runnerEnvironment(tracesEnvironment(settings.telemetry)),
    onRestart: (backoffMs) => log.error({ backoffMs }, 'the runner died and is started again'),
  });
  try {
    const client = new RunnerClient(runner.url);
    const sidecar = await startSidecar(settings, await opening, client, sidecarLog);
    if (settings.tenants.length === 0) {
      log.warn({}, 'no tenants are configured: every request is private and nothing is shared');
    }
    announceReady(sidecar.port);
    process.stderr.write(`kvshare is ready at http://${settings.host}:${sidecar.port}\n`);
    await runUntilSignal(sidecar.close);
  } finally {
    await runner.close();
    await stopTraces();
  }
}
