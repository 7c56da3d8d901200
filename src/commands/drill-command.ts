// `kvshare drill --poison [--json]`: engine, runner port and sidecar as they serve, in this process, so that what is stored
// can be spoiled; everything is compared.
import { randomBytes, randomUUID } from 'node:crypto';
import { prepareTensorflow, readSettings, type Settings } from '../config.ts';
import { formatDrill, runDrill } from '../drill/index.ts';
import { KvShareError } from '../errors.ts';
import { parseFlags } from '../flags.ts';
import { defaultReuse } from '../routes/index.ts';
import { RunnerClient } from '../runner/client.ts';
import { loadEngine } from '../runner/load-engine.ts';
import { poisonStore } from '../runner/poison.ts';
import { serveRunner } from '../runner/server.ts';
import { createSidecar } from '../sidecar/index.ts';
import { createLog } from '../telemetry/index.ts';
import { tools } from './catalog/index.ts';
import { modelIdOf } from '../open-model/index.ts';
import { provisionBackend, provisionModel, provisionTokenizer } from './provision.ts';
import { stepSizes } from './step-sizes.ts';

const HOST = '127.0.0.1';
const KEY = 'drill';
const KV_BYTES = 2 ** 30;

async function startEngine(settings: Settings) {
  const backend = await provisionBackend(settings);
  const model = await provisionModel(settings);
  const tokenizer = await provisionTokenizer(model);
  const engine = await loadEngine({
    backend,
    modelPath: model.path,
    modelId: modelIdOf(model.path),
    modelSha256: model.sha256,
    tokenizerSha256: tokenizer.sha256,
    chatTemplateSha256: tokenizer.chatTemplateSha256,
    generation: randomBytes(6).toString('hex'),
    maxKvBytes: KV_BYTES,
    scheduler: settings.scheduler,
    precision: settings.precision,
    ...stepSizes(settings, backend),
    onFault: (error) => process.stderr.write(`${(error as Error).message}\n`),
  });
  await engine.calibrate();
  return { engine, tokenizer, modelId: modelIdOf(model.path) };
}

async function serve(settings: Settings) {
  const { engine, tokenizer, modelId } = await startEngine(settings);
  const server = await serveRunner(engine, { port: 0, host: HOST });
  const runner = new RunnerClient(`http://${HOST}:${server.port}`);
  const qualityBudget = { ...defaultReuse.qualityBudget, share: 1 };
  const sidecar = createSidecar({
    ...{ runner, tokenizer, modelId, modelAliases: ['default'] },
    tenants: [{ name: 'drill', keys: [KEY] }],
    settings: { reuse: { ...defaultReuse, qualityBudget }, routes: [] },
    healing: false,
    log: createLog({ level: 'fatal', name: 'drill' }),
    newId: randomUUID,
    now: () => performance.now(),
  });
  const { port } = await sidecar.listen(0, HOST);
  return {
    engine,
    url: `http://${HOST}:${port}`,
    close: async () => {
      await sidecar.close();
      await runner.close();
      await server.close();
    },
  };
}

export async function drillCommand(argv: readonly string[]): Promise<void> {
  const { values } = parseFlags(argv, tools.drill.flags);
  if (!values.poison) throw new KvShareError('config_invalid', 'kvshare drill needs --poison.');
  prepareTensorflow();
  const served = await serve(readSettings(['--backend', values.backend]));
  try {
    const report = await runDrill({
      url: served.url,
      apiKey: KEY,
      poison: () => poisonStore(served.engine),
      cure: () => served.engine.store.clear(),
      print: (line) => process.stderr.write(`${line}\n`),
    });
    const text = values.json ? JSON.stringify(report, null, 2) : formatDrill(report);
    process.stdout.write(`${text}\n`);
    if (!report.tripped) process.exitCode = 1;
  } finally {
    await served.close();
  }
}
