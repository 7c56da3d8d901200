// What exact prefixes would save if every prompt were kept for ever, tenants apart: the planner over the trace, nothing run.
import { Replay, replayRunner } from '../../replay/index.ts';
import { optionsOf } from '../../reuse/index.ts';
import type { Tokenizer } from '../../tokenizer/index.ts';
import type { TraceRequest } from '../trace-file.ts';

/** Share of the trace's prompt tokens. */
export async function unlimitedHitRate(
  trace: readonly TraceRequest[],
  tokenizer: Tokenizer,
): Promise<number> {
  const replay = new Replay({
    reuse: optionsOf('exact'),
    shared: false,
    runner: replayRunner,
    tokenClasses: tokenizer.tokenClasses,
    readText: (tokens, from, to) => tokenizer.decode(tokens.subarray(from, to)),
    similar: null,
  });
  let [exact, all] = [0, 0];
  for (const { messages, t_ms: at, ...request } of trace) {
    const prompt = tokenizer.encodeChat(messages);
    const { decision } = await replay.serve({ ...request, ...prompt, at });
    exact += decision.exactTokens;
    all += prompt.tokens.length;
  }
  return exact / all;
}
