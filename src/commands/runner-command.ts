// `kvshare runner`: model + backend + engine behind the runner port. Sees token ids, never text.
import { randomBytes } from 'node:crypto';
import type { Settings } from '../config.ts';
import { checkFree } from '../listen.ts';
import { multipliesBf16, type Backend } from '../runner/backend/index.ts';
import { loadEngine } from '../runner/load-engine.ts';
import { serveRunner } from '../runner/server.ts';
import { announceReady } from '../serve/index.ts';
import { createLog, type Log } from '../telemetry/index.ts';
import { modelIdOf } from '../open-model/index.ts';
import { fitMemory } from './fit-memory.ts';
import { provisionBackend, provisionModel, provisionTokenizer } from './provision.ts';
import { stepSizes } from './step-sizes.ts';
import { startTraces } from './start-traces.ts';
import { runUntilSignal } from './run-until-signal.ts';

/** A backend that has failed stays failed: whoever keeps this process alive starts another one. */
function endWhenFailed({ failed }: Backend, log: Log): void {
  void failed?.then((why) => {
    log.error({}, why);
    process.exit(1);
  });
}

export async function runnerCommand(settings: Settings): Promise<void> {
  await checkFree([settings]);
  const stopTraces = await startTraces(settings, 'kvshare-runner');
  const log = createLog({ level: settings.logLevels.runner, name: 'runner' });
  const backend = await provisionBackend(settings);
  endWhenFailed(backend, log);
  const model = await provisionModel(settings);
  const kvBytes = await fitMemory(settings, backend, model.path, log);
  const { hostBytes, hostFormat } = settings.kv;
  if (hostBytes > 0 && hostFormat === 'fp32' && !backend.hasOwnMemory) {
    log.warn({}, 'live KV is in host memory here: --kv-host-format fp32 only takes more of it');
  }
  if (settings.backend === 'auto' && backend.hasOwnMemory) {
    log.warn({ kvBytes }, 'set --kv-bytes to what the GPU has room for');
  }
  if (settings.precision === 'bf16' && multipliesBf16() === false) {
    log.warn({}, '--precision bf16 is emulated here: no AVX512_BF16 and no AMX');
  }
  const { sha256, chatTemplateSha256 } = await provisionTokenizer(model);
  const engine = await loadEngine({
    backend,
    modelPath: model.path,
    modelId: modelIdOf(model.path),
    modelSha256: model.sha256,
    tokenizerSha256: sha256,
    chatTemplateSha256,
    generation: randomBytes(6).toString('hex'),
    maxKvBytes: kvBytes,
    scheduler: settings.scheduler,
    precision: settings.precision,
    ...stepSizes(settings, backend),
    tiers: settings.kv,
    kvDiskFolder: settings.kv.diskBytes > 0 ? settings.kv.diskFolder : null,
    onFault: (error) => log.error({ err: error }, 'a request failed in the engine'),
    onStoreProblem: (what, error) => log.warn({ err: error }, what),
  });
  await engine.calibrate();
  const server = await serveRunner(engine, { port: settings.port, host: settings.host });
  announceReady(server.port);
  process.stderr.write(
    `kvshare runner on http://${settings.host}:${server.port} ` +
      `(${modelIdOf(model.path)}, ${backend.name}: ${backend.description})\n`,
  );
  await runUntilSignal(() => server.close(settings.drainMs).then(stopTraces));
}
