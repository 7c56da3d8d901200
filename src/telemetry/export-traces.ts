// Sends spans to a collector over OTLP/HTTP. Loaded only where an address is configured. Sampling, headers and batch
// sizes are read by the SDK from OTEL_… variables.
import { propagation, trace } from '@opentelemetry/api';

/** Spans of one request leave together, soon. */
const DELAY_MS = 1_000;

/** `url`: where traces are posted, `/v1/traces` included. Call the result once, to send what is left. */
export async function exportTraces(url: string, service: string): Promise<() => Promise<void>> {
  const [sdk, otlp, resources, conventions, core] = await Promise.all([
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/semantic-conventions'),
    import('@opentelemetry/core'),
  ]);
  const exporter = new otlp.OTLPTraceExporter({ url });
  const provider = new sdk.BasicTracerProvider({
    resource: resources
      .defaultResource()
      .merge(resources.resourceFromAttributes({ [conventions.ATTR_SERVICE_NAME]: service }))
      // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
      .merge(resources.detectResources({ detectors: [resources.envDetector] })),
    spanProcessors: [new sdk.BatchSpanProcessor(exporter, { scheduledDelayMillis: DELAY_MS })],
  });
  trace.setGlobalTracerProvider(provider);
  propagation.setGlobalPropagator(new core.W3CTraceContextPropagator());
  return async () => {
    // A collector that is gone must not keep us from ending.
    await provider.shutdown().catch(() => undefined);
    trace.disable();
    propagation.disable();
  };
}
