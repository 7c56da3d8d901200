// `kvshare sidecar` and the sidecar half of `kvshare serve`: tokenizer + planner + HTTP before a runner.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Settings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { checkFree } from '../listen.ts';
import type { Runner } from '../protocol/index.ts';
import { RunnerClient } from '../runner/client.ts';
import { announceReady } from '../serve/index.ts';
import { createSidecar } from '../sidecar/index.ts';
import { createLog, type Log } from '../telemetry/index.ts';
import { modelIdOf } from '../open-model/index.ts';
import { openAdapter, originsOf, type LoadAdapters } from './open-adapter.ts';
import {
  openModelParts,
  openSidecarParts,
  type ModelParts,
  type SidecarParts,
} from './sidecar-parts.ts';
import { startTraces } from './start-traces.ts';
import { runUntilSignal } from './run-until-signal.ts';
import { addressesOf, startAdmin } from './start-admin.ts';
import { watchConfig } from './watch-config.ts';

/** What outlives a restart beside the KV. A sidecar on a port of chance has no earlier life. */
function stateFiles({ guardFile, cacheDir, port }: Settings) {
  if (guardFile === null && port === 0) return {};
  const file = guardFile ?? join(cacheDir, 'guard', `${port}.json`);
  return { guardFile: file, deletionsFile: `${file.replace(/\.json$/, '')}.deletions.json` };
}

export async function startSidecar(
  settings: Settings,
  { model, tokenizer, embedder }: SidecarParts,
  runner: Runner,
  log: Log,
): Promise<{ port: number; close: () => Promise<void> }> {
  const sidecar = createSidecar({
    runner,
    tokenizer,
    modelId: modelIdOf(model.path),
    modelAliases: ['default'],
    tenants: settings.tenants,
    ...(settings.metrics.key !== null && { metricsKey: settings.metrics.key }),
    settings,
    singleFlight: settings.singleFlight,
    healing: settings.healing,
    ...stateFiles(settings),
    ...(embedder && { embedder }),
    ...(settings.embedder.file !== null && { vectorFile: settings.embedder.file }),
    ...(settings.record && { record: settings.record }),
    ...(settings.upstream !== null && { upstream: settings.upstream }),
    log,
    newId: randomUUID,
    now: () => performance.now(),
  });
  const { port } = await sidecar.listen(settings.port, settings.host);
  const stopAdmin = await startAdmin(settings, sidecar.operator, log);
  const unwatch = watchConfig(settings.configPath, log, (changed) => sidecar.reload(changed));
  return {
    port,
    close: async () => {
      unwatch();
      await sidecar.close(settings.drainMs);
      await stopAdmin();
      await runner.close();
    },
  };
}

async function openRunner(
  { adapter, runnerUrl }: Settings,
  parts: ModelParts,
  load: LoadAdapters,
  log: Log,
): Promise<Runner> {
  if (adapter) {
    const urls = originsOf(adapter, runnerUrl);
    return openAdapter({ settings: { ...adapter, urls }, load, ...parts, log });
  }
  if (runnerUrl === null) {
    throw new KvShareError('config_invalid', 'kvshare sidecar needs --runner URL.');
  }
  return new RunnerClient(runnerUrl);
}

export async function sidecarCommand(settings: Settings, load: LoadAdapters): Promise<void> {
  await checkFree(addressesOf(settings));
  const stopTraces = await startTraces(settings, 'kvshare-sidecar');
  const log = createLog({ level: settings.logLevels.sidecar, name: 'sidecar' });
  const model = await openModelParts(settings);
  const runner = await openRunner(settings, model, load, log);
  const importsRuns =
    settings.adapter === null || (await runner.info()).capabilities.imports === 'runs';
  const parts = await openSidecarParts(settings, model, importsRuns, log);
  const sidecar = await startSidecar(settings, parts, runner, log);
  announceReady(sidecar.port);
  process.stderr.write(`kvshare sidecar on http://${settings.host}:${sidecar.port}\n`);
  await runUntilSignal(() => sidecar.close().then(stopTraces));
}
