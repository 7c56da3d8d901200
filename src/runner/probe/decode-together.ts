// Several answers drawn at once, step by step as the engine draws them (engine.ts), without its scheduling.
import { DecodeBatch } from '../engine/decode-batch.ts';
import { decodeWithRefresh, dueRefresh } from '../engine/decode-refresh.ts';
import type { StepContext } from '../engine/forward-rows.ts';
import type { Sequence } from '../engine/sequence.ts';
import { finishNow } from '../engine/work.ts';

/** Sequences that have their first token; each goes on to a stop token or its most tokens. Their KV is freed. */
export function decodeTogether(step: StepContext, sequences: readonly Sequence[]): void {
  const batch = new DecodeBatch(step.model);
  const waiting = [...sequences];
  let running: Sequence[] = [];
  try {
    for (;;) {
      running = running.concat(waiting.splice(0, batch.capacity - running.length)).filter(goesOn);
      if (running.length === 0 && waiting.length === 0) return;
      const alone = running.filter((sequence) => dueRefresh(sequence) > 0);
      for (const sequence of alone) finishNow(decodeWithRefresh(sequence, step));
      const together = running.filter((sequence) => !alone.includes(sequence));
      if (together.length > 0) finishNow(batch.step(together));
    }
  } finally {
    batch.clear();
    for (const { live } of sequences) live.clear();
  }
}

function goesOn(sequence: Sequence): boolean {
  const { generated, request } = sequence;
  const { maxTokens, stopTokens } = request.sampling;
  const goes = generated.length < maxTokens && !stopTokens.includes(generated.at(-1)!);
  if (!goes) sequence.phase = 'done';
  return goes;
}
