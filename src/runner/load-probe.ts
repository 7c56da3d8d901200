// Model file + backend → a probe of the engine.
import { kvFingerprint, type FingerprintParts } from '../kv/index.ts';
import { loadModel, type ModelSource } from './load-model.ts';
import { layoutOf } from './model/model-config.ts';
import { Probe } from './probe/probe.ts';

export type LoadProbeOptions = ModelSource &
  Omit<FingerprintParts, 'layout'> & { readonly maxKvBytes: number };

export async function loadProbe(options: LoadProbeOptions): Promise<Probe> {
  const model = await loadModel(options);
  const fingerprint = kvFingerprint({ layout: layoutOf(model.config), ...options });
  return new Probe({ model, fingerprint, maxKvBytes: options.maxKvBytes });
}
