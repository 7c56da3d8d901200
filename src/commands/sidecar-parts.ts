// What a sidecar reads from files before it can serve: tokenizer and embedder of the runner's model. Needs no runner,
// so that `kvshare serve` reads it while the runner starts.
import type { Settings } from '../config.ts';
import type { Embedder } from '../embed/index.ts';
import type { ResolvedModel } from '../model-files/index.ts';
import type { Log } from '../telemetry/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import { provisionEmbedder, provisionModel, provisionTokenizer } from './provision.ts';

export interface ModelParts {
  readonly model: ResolvedModel;
  readonly tokenizer: Tokenizer;
}

export interface SidecarParts extends ModelParts {
  /** Null = equal tokens only. */
  readonly embedder: Embedder | null;
}

export async function openModelParts(settings: Settings): Promise<ModelParts> {
  const model = await provisionModel(settings);
  return { model, tokenizer: await provisionTokenizer(model) };
}

/** `importsRuns`: prompts that are alike are looked for to import runs of them. */
export async function openSidecarParts(
  { embedder, cacheDir }: Settings,
  { model, tokenizer }: ModelParts,
  importsRuns: boolean,
  log: Log,
): Promise<SidecarParts> {
  const opened = await provisionEmbedder({
    settings: importsRuns ? embedder : { kind: 'off', file: null },
    ...{ cacheDir, model, tokenizer },
    onFallback: (why) => log.warn({ why }, 'no word vectors: the model’s own rows compare prompts'),
  });
  return { model, tokenizer, embedder: opened };
}
