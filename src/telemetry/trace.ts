// Spans through OpenTelemetry's API alone: whoever has registered an SDK (export-traces.ts, or the app that KVShare is
// mounted in) gets them; without one nothing is recorded and next to nothing is done. Names, numbers and ids only.
import {
  context,
  isSpanContextValid,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
} from '@opentelemetry/api';

export interface Trace {
  /** For the next process, as in the header of this name. */
  readonly traceparent: string | undefined;
  readonly isRecording: boolean;
  /** What it turned out to be. */
  rename(name: string): void;
  set(attributes: Attributes): void;
  /** A part of the work, around it. */
  during<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** A part that is over, in milliseconds since 1970. */
  part(name: string, start: number, end: number): void;
  /** `isOurs`: not the client's doing. */
  fail(type: string, isOurs: boolean): void;
  end(): void;
}

export type Carrier = Readonly<Record<string, string | string[] | undefined>>;

const tracer = () => trace.getTracer('kvshare');

/** The span that is already under way here, else what the headers say. */
function parentOf(carrier: Carrier): Context {
  const active = context.active();
  return trace.getSpan(active) ? active : propagation.extract(active, carrier);
}

function traceparentOf(span: Span): string | undefined {
  const { traceId, spanId, traceFlags } = span.spanContext();
  if (!isSpanContextValid(span.spanContext())) return undefined;
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** Nobody listens: what came in goes on as it is. */
const silent = (traceparent: string | undefined): Trace => ({
  traceparent,
  isRecording: false,
  rename: () => undefined,
  set: () => undefined,
  during: (_, work) => work(),
  part: () => undefined,
  fail: () => undefined,
  end: () => undefined,
});

function recording(span: Span, parent: Context): Trace {
  const within = trace.setSpan(parent, span);
  return {
    traceparent: traceparentOf(span),
    isRecording: true,
    rename: (name) => void span.updateName(name),
    set: (attributes) => void span.setAttributes(attributes),
    during: async (name, work) => {
      const inner = tracer().startSpan(name, {}, within);
      try {
        return await work();
      } finally {
        inner.end();
      }
    },
    part: (name, start, end) => tracer().startSpan(name, { startTime: start }, within).end(end),
    fail: (type, isOurs) => {
      span.setAttribute('error.type', type);
      if (isOurs) span.setStatus({ code: SpanStatusCode.ERROR });
    },
    end: () => span.end(),
  };
}

/** A request that this process serves; it continues the trace of its caller. */
export function startTrace(name: string, carrier: Carrier): Trace {
  const parent = parentOf(carrier);
  const span = tracer().startSpan(name, { kind: SpanKind.SERVER }, parent);
  if (span.isRecording()) return recording(span, parent);
  const given = carrier['traceparent'];
  return silent(traceparentOf(span) ?? (typeof given === 'string' ? given : undefined));
}
