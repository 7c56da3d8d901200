// The model in this process, behind a probe of the engine: for suites that look at distributions.
import { prepareTensorflow, readSettings } from '../../config.ts';
import { loadProbe } from '../../runner/load-probe.ts';
import { provisionBackend, provisionModel, provisionTokenizer } from '../provision.ts';

/** Donors and target of the longest cases, several times over. */
const KV_BYTES = 2 * 2 ** 30;

/** By the values of --backend and --model. */
export async function openProbe(flags: { readonly backend: string; readonly model?: string }) {
  prepareTensorflow();
  const modelFlag = flags.model === undefined ? [] : ['--model', flags.model];
  const settings = readSettings(['--backend', flags.backend, ...modelFlag]);
  const backend = await provisionBackend(settings);
  const model = await provisionModel(settings);
  const tokenizer = await provisionTokenizer(model);
  const prober = await loadProbe({
    backend,
    precision: settings.precision,
    modelPath: model.path,
    modelSha256: model.sha256,
    tokenizerSha256: tokenizer.sha256,
    chatTemplateSha256: tokenizer.chatTemplateSha256,
    maxKvBytes: KV_BYTES,
  });
  return { cacheDir: settings.cacheDir, model, tokenizer, prober };
}
