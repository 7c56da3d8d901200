// Runner events → what an answer is made of: a start with the receipt (again when it changes), pieces of text,
// one end. Stored contexts are reported on the way; a failed generation throws.
import { KvShareError } from '../errors.ts';
import type { GenerateEvent, Receipt, StoredContext } from '../protocol/index.ts';
import type { StreamDecoder } from '../tokenizer/index.ts';
import type { StopStrings } from './stop-strings.ts';

export type AnswerEvent =
  | { readonly type: 'start'; readonly receipt: Receipt }
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'end';
      readonly finishReason: 'stop' | 'length';
      readonly completionTokens: number;
      readonly refreshedTokens?: number;
    };

export interface AnswerParts {
  readonly decoder: StreamDecoder;
  readonly stops: StopStrings;
  readonly onToken: (id: number) => void;
  readonly onStored: (context: StoredContext) => void;
  /** Called when a stop string ends the answer before the runner does. */
  readonly onStopString: () => void;
}

export async function* answerEvents(
  events: AsyncIterable<GenerateEvent>,
  { decoder, stops, onToken, onStored, onStopString }: AnswerParts,
): AsyncGenerator<AnswerEvent, void, undefined> {
  let completionTokens = 0;
  for await (const event of events) {
    if (event.type === 'receipt') yield { type: 'start', receipt: event.receipt };
    else if (event.type === 'stored') onStored(event.context);
    else if (event.type === 'error') throw new KvShareError(event.code, event.message);
    else if (event.type === 'token') {
      completionTokens++;
      onToken(event.id);
      const text = stops.push(decoder.push(event.id));
      if (text !== '') yield { type: 'text', text };
      if (stops.stopped) {
        onStopString();
        break;
      }
    } else {
      if (event.reason === 'cancelled') throw new KvShareError('request_cancelled', 'Cancelled.');
      const rest = stops.push(decoder.flush()) + stops.flush();
      if (rest !== '') yield { type: 'text', text: rest };
      const finishReason = stops.stopped ? 'stop' : event.reason;
      const { refreshedTokens } = event;
      completionTokens = event.completionTokens ?? completionTokens;
      const refreshed = refreshedTokens !== undefined && { refreshedTokens };
      yield { type: 'end', finishReason, completionTokens, ...refreshed };
      return;
    }
  }
  if (!stops.stopped) throw new KvShareError('runner_failed', 'The runner ended without an end.');
  yield { type: 'end', finishReason: 'stop', completionTokens };
}
