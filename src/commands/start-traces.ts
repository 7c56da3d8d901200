// Traces of this process, when somebody wants them; the SDK is loaded only then.
import type { Settings } from '../config.ts';
import { exportTraces } from '../telemetry/index.ts';

/** Returns how to send what is left and stop. */
export function startTraces(
  { telemetry }: Pick<Settings, 'telemetry'>,
  service: 'kvshare-sidecar' | 'kvshare-runner',
): Promise<() => Promise<void>> {
  if (telemetry.otlp === null) return Promise.resolve(() => Promise.resolve());
  return exportTraces(telemetry.otlp, service);
}
