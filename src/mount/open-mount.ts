// From options to a core that serves: the runner's client, tokenizer and embedder, as `kvshare sidecar` opens them.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolveModel } from '../model-files/index.ts';
import { modelIdOf, openEmbedder, openTokenizer } from '../open-model/index.ts';
import { RunnerClient } from '../runner/client.ts';
import {
  createCore,
  type CoreOptions,
  type Identify,
  type SidecarCore,
  type SidecarEvents,
} from '../sidecar/index.ts';
import type { Log } from '../telemetry/index.ts';
import type { KvShareOptions, readMountSettings } from './options.ts';

/** A runner that does not answer by then is told to clients as such. */
const REACH_MS = 2_000;

export interface MountWork {
  readonly settings: ReturnType<typeof readMountSettings>;
  readonly identify: Identify;
  readonly events: SidecarEvents;
  readonly log: Log;
}

type ModelParts = Pick<CoreOptions, 'tokenizer' | 'modelId' | 'embedder'>;

async function openModel(
  given: KvShareOptions['model'],
  { settings, log }: MountWork,
): Promise<ModelParts> {
  if (typeof given === 'object') return { tokenizer: given.tokenizer, modelId: given.id };
  const { cacheDir } = settings;
  const explicitPath = given ?? settings.modelPath;
  let phase = '';
  const onProgress = (step: { readonly phase: string }): void => {
    if (step.phase !== phase) log.info({ phase: step.phase }, 'getting ready');
    ({ phase } = step);
  };
  const model = await resolveModel({
    ...(explicitPath !== null && { explicitPath }),
    cacheDir,
    onProgress,
  });
  const tokenizer = await openTokenizer(model);
  const embedder = await openEmbedder({
    settings: settings.embedder,
    ...{ cacheDir, model, tokenizer, onProgress },
    onFallback: (why) => log.warn({ why }, 'no word vectors: the model’s own rows compare prompts'),
  });
  return { tokenizer, modelId: modelIdOf(model.path), ...(embedder && { embedder }) };
}

export async function openMount<R>(
  options: KvShareOptions<R>,
  work: MountWork,
): Promise<SidecarCore> {
  const { settings, identify, events, log } = work;
  const [parts, given] = await Promise.all([openModel(options.model, work), options.runner]);
  const client = typeof given === 'string' ? new RunnerClient(given) : null;
  const { maxBodyBytes, bodyDeadlineMs, maxInFlight, requestDeadlineMs } = options;
  const core = createCore({
    ...parts,
    runner: client ?? (given as Exclude<typeof given, string>),
    modelAliases: ['default'],
    tenants: [],
    identify,
    events,
    settings,
    singleFlight: settings.singleFlight,
    healing: settings.healing,
    ...(settings.guardFile !== null && { guardFile: settings.guardFile }),
    ...(settings.embedder.file !== null && { vectorFile: settings.embedder.file }),
    ...(settings.record && { record: settings.record }),
    ...(maxBodyBytes !== undefined && { maxBodyBytes }),
    ...(bodyDeadlineMs !== undefined && { bodyDeadlineMs }),
    ...(maxInFlight !== undefined && { maxInFlight }),
    ...(requestDeadlineMs !== undefined && { requestDeadlineMs }),
    log,
    newId: randomUUID,
    now: () => performance.now(),
  });
  await Promise.race([core.context.link.reached, sleep(REACH_MS, undefined, { ref: false })]);
  return {
    ...core,
    close: async () => {
      await core.close();
      // A runner that was handed in is its owner's.
      await client?.close();
    },
  };
}
