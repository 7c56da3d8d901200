// The runner of a sidecar that has another framework behind it: the adapter that the operator named, opened with what the
// model file says. A server that still loads its model is waited for.
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AdapterSettings } from '../config-adapter.ts';
import { KvShareError } from '../errors.ts';
import { openGguf } from '../gguf/index.ts';
import type { ResolvedModel } from '../model-files/index.ts';
import type { AdapterRegistry, Runner } from '../protocol/index.ts';
import type { Log } from '../telemetry/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import { modelIdOf } from '../open-model/index.ts';

/** Rejects where there is no folder adapters/. */
export type LoadAdapters = () => Promise<AdapterRegistry>;

export interface OpenAdapterOptions {
  readonly settings: AdapterSettings;
  readonly load: LoadAdapters;
  readonly model: ResolvedModel;
  readonly tokenizer: Tokenizer;
  readonly log: Log;
}

const PATIENCE_MS = 120_000;
const RETRY_MS = 500;

const isLoading = (error: unknown): boolean =>
  error instanceof KvShareError && error.code === 'runner_unavailable';

async function patiently<T>(open: () => Promise<T>, log: Log): Promise<T> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (let tries = 0; ; tries++) {
    try {
      return await open();
    } catch (error) {
      if (!isLoading(error) || performance.now() > giveUpAt) throw error;
      if (tries === 0) log.warn({}, 'the model server does not answer yet');
      await sleep(RETRY_MS);
    }
  }
}

/** `runnerUrl`: --runner, one or several with commas. Throws KvShareError `config_invalid`. */
export function originsOf({ urls }: AdapterSettings, runnerUrl: string | null): string[] {
  const given = runnerUrl === null ? urls : runnerUrl.split(',');
  const origins = given.map((url) => url.trim().replace(/\/+$/, ''));
  const bad = origins.find((url) => !URL.canParse(url));
  if (origins.length > 0 && bad === undefined) return origins;
  const what = bad === undefined ? 'an adapter needs --runner URL' : `"${bad}" is no address`;
  throw new KvShareError('config_invalid', `${what}: where its model server listens.`);
}

/** As the file says, of whatever architecture; else what no prompt reaches. */
async function contextLengthOf({ path }: ResolvedModel): Promise<number> {
  const file = await openGguf(path);
  const architecture = file.metadata.get('general.architecture');
  const length = Number(file.metadata.get(`${String(architecture)}.context_length`));
  await file.close();
  return length > 0 ? length : 2 ** 20;
}

/** Throws KvShareError `config_invalid` when the server cannot be used as it is. */
export async function openAdapter(options: OpenAdapterOptions): Promise<Runner> {
  const { settings, load, model, tokenizer, log } = options;
  const registry = await load().catch(() => {
    throw new KvShareError('config_invalid', 'This installation has no adapters.');
  });
  const open = await registry.loadAdapter(settings.name);
  const contextLength = await contextLengthOf(model);
  const parts = [model.sha256, tokenizer.sha256, tokenizer.chatTemplateSha256];
  return patiently(
    () =>
      open({
        urls: settings.urls,
        key: settings.key,
        modelId: modelIdOf(model.path),
        contextLength,
        serverModel: settings.model,
        tokenizer: {
          vocabSize: tokenizer.vocabSize,
          encode: (text) => Array.from(tokenizer.encode(text, { special: false })),
          decode: (ids) => tokenizer.decode(ids),
        },
        fingerprint: createHash('sha256').update(parts.join(' ')).digest('hex'),
        generation: randomBytes(6).toString('hex'),
        secret: settings.secret === null ? randomBytes(32) : Buffer.from(settings.secret),
        sharedCache: settings.sharedCache,
        store: settings,
        onProblem: (what, error) => log.warn({ err: error }, what),
      }),
    log,
  );
}
