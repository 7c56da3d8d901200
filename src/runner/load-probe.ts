// Model file + backend → a probe of the engine.
import { KvShareError } from '../errors.ts';
import { kvFingerprint, type FingerprintParts } from '../kv/index.ts';
import { loadModel, type ModelSource } from './load-model.ts';
import { layoutOf } from './model/model-config.ts';
import { Probe } from './probe/probe.ts';

export type LoadProbeOptions = ModelSource &
  Omit<FingerprintParts, 'layout'> & { readonly maxKvBytes: number };

/** Throws KvShareError `config_invalid` for a backend that cannot be read at once, as a probe does. */
export async function loadProbe(options: LoadProbeOptions): Promise<Probe> {
  if (options.backend.name === 'webgpu') {
    const message = 'a probe of the model cannot wait for --backend webgpu; choose another one.';
    throw new KvShareError('config_invalid', message);
  }
  const model = await loadModel(options);
  const fingerprint = kvFingerprint({ layout: layoutOf(model.config), ...options });
  return new Probe({ model, fingerprint, maxKvBytes: options.maxKvBytes });
}
