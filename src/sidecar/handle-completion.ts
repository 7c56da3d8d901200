// STORY 1: one completion through the sidecar. read → plan → forward → relay → remember. Everything before
// `forward` fails open: at worst the prompt is computed cold.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Receipt } from '../protocol/index.ts';
import { startTrace, type Trace } from '../telemetry/index.ts';
import { answerEvents } from './answer-events.ts';
import type { SidecarContext } from './context.ts';
import { breakEvenKeyOf, type Planned } from './find-plan.ts';
import { forwardCall } from './forward-call.ts';
import { healWhenIdle } from './heal.ts';
import { provenanceOf, type AnswerHead, type Provenance } from './openai-response.ts';
import { planInFlight, type PlannedInFlight } from './plan-in-flight.ts';
import { recordCall } from './record-call.ts';
import { readCall, receive, type Call, type CompletionKind } from './read-call.ts';
import { requestIdOf } from './request-id.ts';
import { sendStream, sendWhole, type AnswerJob } from './send-answer.ts';
import { ServedNote } from './served.ts';
import type { Flight } from './single-flight.ts';
import { StopStrings } from './stop-strings.ts';
import { tellPlan, tellReceipt } from './tell.ts';
import { traceAnswer, traceCall, traceFailure, traceOutcome } from './trace-completion.ts';
import { Beginning, watchQuality } from './watch-quality.ts';

export async function handleCompletion(
  context: SidecarContext,
  kind: CompletionKind,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const trace = startTrace('kvshare.request', request.headers);
  try {
    await complete(context, kind, request, { response, trace });
  } catch (error) {
    traceFailure(trace, error);
    throw error;
  } finally {
    trace.end();
  }
}

async function complete(
  context: SidecarContext,
  kind: CompletionKind,
  request: IncomingMessage,
  { response, trace }: { readonly response: ServerResponse; readonly trace: Trace },
): Promise<void> {
  // 1 read
  const received = await receive(context, request);
  const [startedAt, { epoch }] = [context.now(), context.ledger];
  const place = context.admission.enter(received.principal?.tenant ?? null);
  context.idle.giveWay();
  const ending = context.endings.start(response);
  let flight: Flight | null = null;
  let note: ServedNote | null = null;
  try {
    const call = readCall(context, kind, request, { id: requestIdOf(response), ...received });
    recordCall(context, call);
    traceCall(trace, context.modelId, call);
    // 2 plan
    const { signal } = ending;
    const found = await trace.during('kvshare.plan', () => planInFlight(context, call, signal));
    flight = found.flight;
    const { decision } = found.planned;
    tellPlan(context.events, call, found.planned, found.waitedMs);
    const served = (note = new ServedNote(context, call, found.planned, epoch));
    // 3 forward
    const runner = abortedBy(signal);
    const events = forwardCall(context, call, decision, { signal: runner.signal, trace });
    const beginning = new Beginning();
    // 5 remember, as soon as the runner says that it keeps something
    const answer = answerEvents(events, {
      ...readingOf(context, call),
      onToken: (id) => beginning.add(id),
      onStored: (stored) => {
        served.keep(stored);
        found.flight?.land('stored');
      },
      onStopString: () => runner.abort(),
    });
    // 4 relay
    const job: AnswerJob = {
      response,
      ...shapeOf(context, call),
      provenance: (receipt) => (served.provenance = confirm(context, call, found, receipt)),
      onFirstText: () => (served.ttftMs = context.now() - startedAt),
      signal,
      explain: (error) => ending.explain(error),
    };
    const send = call.asked.stream ? sendStream : sendWhole;
    const provenance = await send(traceAnswer(trace, answer), job);
    served.isWhole = true;
    const ttftMs = served.ttftMs ?? 0;
    traceOutcome(trace, provenance, ttftMs);
    conclude(context, call, provenance, ttftMs);
    followUp(context, call, found.planned, provenance, beginning);
  } catch (error) {
    throw ending.explain(error);
  } finally {
    flight?.land('failed');
    note?.tell();
    ending.done();
    place.leave();
  }
}

/** Beside its own reasons; AbortSignal.any takes 15 microseconds more. */
function abortedBy(signal: AbortSignal): AbortController {
  const own = new AbortController();
  signal.addEventListener('abort', () => own.abort(signal.reason), { once: true });
  if (signal.aborted) own.abort(signal.reason);
  return own;
}

/** How tokens become text. */
const readingOf = ({ tokenizer }: SidecarContext, { asked }: Call) => ({
  decoder: tokenizer.streamDecoder(),
  stops: new StopStrings(asked.stop),
});

/** What the answer looks like, whatever it says. */
const shapeOf = (context: SidecarContext, call: Call) => ({
  head: headOf(context, call),
  promptTokens: call.prompt.tokens.length,
  includeUsage: call.asked.includeUsage,
});

/** What the runner says that it has done. */
function confirm(
  context: SidecarContext,
  call: Call,
  { planned, waitedMs }: PlannedInFlight,
  receipt: Receipt,
): Provenance {
  context.link.forget(receipt.missingSegments);
  learn(context, call, planned, receipt);
  const policy = planned.decision.plan?.policy ?? planned.options.policy;
  const confirmed = provenanceOf(planned.decision, receipt, policy, waitedMs);
  tellReceipt(context.events, call, confirmed);
  return confirmed;
}

/** What the answer gives cause to do in idle moments. */
function followUp(
  context: SidecarContext,
  call: Call,
  planned: Planned,
  { receipt }: Provenance,
  { tokens }: Beginning,
): void {
  healWhenIdle(context, call, planned, receipt);
  watchQuality(context, call, planned, receipt, tokens);
}

function conclude(
  context: SidecarContext,
  call: Call,
  provenance: Provenance,
  ttftMs: number,
): void {
  const { outcome, reason, waitedMs } = provenance;
  const run = { outcome, reason, ttftMs, waitedMs };
  context.lastRuns.record(call.identity.scope, call.prompt.tokens, run);
  context.record(call.route.name, provenance, ttftMs);
}

/** Break-even: what this reuse really saved on its route. */
function learn(context: SidecarContext, call: Call, planned: Planned, receipt: Receipt): void {
  if (receipt.importedTokens === 0 || receipt.degraded !== null) return;
  const { importMs, prefillMs } = receipt.timings;
  const savedMs = planned.decision.coldMs - planned.lookupMs - importMs - prefillMs;
  const promptTokens = call.prompt.tokens.length;
  context.breakEven.record(breakEvenKeyOf(call), { promptTokens, savedMs });
}

function headOf(context: SidecarContext, { id, asked }: Call): AnswerHead {
  const prefix = asked.kind === 'chat' ? 'chatcmpl' : 'cmpl';
  return {
    kind: asked.kind,
    id: `${prefix}-${id}`,
    created: Math.floor(context.wallClock() / 1000),
    model: context.modelId,
  };
}
