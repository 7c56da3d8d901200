// The runner's part of a trace: waiting, import, prefill and decode, from the receipt that it gives.
import type { GenerateEvent, GenerateRequest } from '../protocol/index.ts';
import { startTrace, type Trace } from '../telemetry/index.ts';

/** Passes the events of a generation on. */
export function traceGeneration(
  { traceparent, requestId, tokens }: GenerateRequest,
  events: AsyncIterable<GenerateEvent>,
): AsyncIterable<GenerateEvent> {
  const trace = startTrace('kvshare.generate', { traceparent });
  if (!trace.isRecording) return events;
  trace.set({ 'kvshare.request_id': requestId, 'gen_ai.usage.input_tokens': tokens.length });
  return noting(trace, events);
}

async function* noting(
  trace: Trace,
  events: AsyncIterable<GenerateEvent>,
): AsyncGenerator<GenerateEvent> {
  let decodingSince: number | null = null;
  try {
    for await (const event of events) {
      if (event.type === 'receipt') {
        const { queueMs, importMs, prefillMs } = event.receipt.timings;
        decodingSince = Date.now();
        const importing = decodingSince - prefillMs - importMs;
        trace.part('kvshare.queue', importing - queueMs, importing);
        trace.part('kvshare.import', importing, decodingSince - prefillMs);
        trace.part('kvshare.prefill', decodingSince - prefillMs, decodingSince);
      } else if (event.type === 'error') trace.fail(event.code, true);
      yield event;
    }
  } finally {
    if (decodingSince !== null) trace.part('kvshare.decode', decodingSince, Date.now());
    trace.end();
  }
}
