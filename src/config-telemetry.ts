// Where traces go: kvshare.yaml, or the variables that OpenTelemetry's SDKs read everywhere, which win.
import { KvShareError } from './errors.ts';

export interface TelemetrySettings {
  /** Where traces are posted, `/v1/traces` included; null = nowhere. */
  readonly otlp: string | null;
}

const TRACES = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
const ALL = 'OTEL_EXPORTER_OTLP_ENDPOINT';

/** The variable that decides; null = the file does. */
export function otlpVariable(env: NodeJS.ProcessEnv): string | null {
  if (env['OTEL_SDK_DISABLED'] === 'true') return 'OTEL_SDK_DISABLED';
  return [TRACES, ALL].find((name) => env[name]) ?? null;
}

/** The variable for all signals, like the file, names the collector; that for traces names the path, too. */
export function readTelemetry(
  given: { readonly otlp?: string } | undefined,
  env: NodeJS.ProcessEnv,
  source: string,
): TelemetrySettings {
  const variable = otlpVariable(env);
  if (variable === 'OTEL_SDK_DISABLED') return { otlp: null };
  const address = variable === null ? given?.otlp : env[variable];
  if (address === undefined) return { otlp: null };
  if (!URL.canParse(address) || !/^https?:/.test(address)) {
    const where = variable ?? `${source}: telemetry.otlp`;
    throw new KvShareError('config_invalid', `${where} must be an http(s) address.`);
  }
  return { otlp: variable === TRACES ? address : `${address.replace(/\/$/, '')}/v1/traces` };
}

/** For a process of ours that reads no file. */
export const tracesEnvironment = ({ otlp }: TelemetrySettings): Record<string, string> =>
  otlp === null ? {} : { [TRACES]: otlp };
