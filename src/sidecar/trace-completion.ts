// What a completion's span says, in OpenTelemetry's words for generative AI: who was asked for how much, what came of
// it, where the prompt's KV came from. No text, no tenant, no user.
import { KvShareError } from '../errors.ts';
import type { Trace } from '../telemetry/index.ts';
import type { AnswerEvent } from './answer-events.ts';
import type { Provenance } from './openai-response.ts';
import type { Call } from './read-call.ts';

export function traceCall(trace: Trace, modelId: string, { id, asked, route, prompt }: Call): void {
  if (!trace.isRecording) return;
  const operation = asked.kind === 'chat' ? 'chat' : 'text_completion';
  trace.rename(`${operation} ${modelId}`);
  trace.set({
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': 'kvshare',
    'gen_ai.request.model': asked.model,
    'gen_ai.response.model': modelId,
    'gen_ai.request.max_tokens': asked.maxTokens,
    'gen_ai.request.temperature': asked.temperature,
    'gen_ai.request.top_p': asked.topP,
    'gen_ai.usage.input_tokens': prompt.tokens.length,
    'kvshare.request_id': id,
    'kvshare.route': route.name,
  });
}

/** Passes an answer on and notes its end. */
export function traceAnswer(
  trace: Trace,
  events: AsyncGenerator<AnswerEvent>,
): AsyncGenerator<AnswerEvent> {
  return trace.isRecording ? noting(trace, events) : events;
}

async function* noting(
  trace: Trace,
  events: AsyncGenerator<AnswerEvent>,
): AsyncGenerator<AnswerEvent> {
  for await (const event of events) {
    if (event.type === 'end') {
      trace.set({
        'gen_ai.usage.output_tokens': event.completionTokens,
        'gen_ai.response.finish_reasons': [event.finishReason],
      });
    }
    yield event;
  }
}

export function traceOutcome(trace: Trace, provenance: Provenance, ttftMs: number): void {
  const { outcome, reason, policy, receipt, waitedMs } = provenance;
  trace.set({
    // Lossless reuse only, as in `cached_tokens`.
    'gen_ai.usage.cache_read.input_tokens': receipt.exactTokens,
    'kvshare.outcome': outcome,
    'kvshare.reason': reason,
    'kvshare.policy': policy,
    'kvshare.imported_tokens': receipt.importedTokens,
    'kvshare.recomputed_tokens': receipt.recomputedTokens,
    'kvshare.charged_recompute': receipt.chargedRecompute,
    'kvshare.waited_ms': waitedMs,
    'kvshare.ttft_ms': ttftMs,
  });
}

export function traceFailure(trace: Trace, error: unknown): void {
  const known = error instanceof KvShareError;
  trace.fail(known ? error.code : 'internal_error', !known || error.status >= 500);
}
