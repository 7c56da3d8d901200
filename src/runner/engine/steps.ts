// What one engine step can do to one sequence: import, prefill a chunk, keep, decode a token. Each runs
// to its end without yielding, so a step is also the grain of cancellation.
import { mergeRanges, type TokenRange } from '../../kv/index.ts';
import type { Transformer } from '../model/transformer.ts';
import { headViews, viewLength, type PageView } from '../store/kv-page.ts';
import type { KvStore } from '../store/kv-store.ts';
import { importKv, type ImportSource } from './import-kv.ts';
import { joinPositions } from './kv-rows.ts';
import { sampleToken } from './sampler.ts';
import type { Sequence } from './sequence.ts';
import { drawFirst, goCold, isStaged, stage, stagedChunk } from './staged-steps.ts';

export interface StepContext {
  readonly model: Transformer;
  readonly store: KvStore;
  readonly chunkTokens: number;
}

/** The plan's sources that are still stored; the rest turns into recomputation. */
function resolveSources(sequence: Sequence, store: KvStore): ImportSource[] {
  const { plan } = sequence.request;
  const sources: ImportSource[] = [];
  const missing: TokenRange[] = [];
  for (const entry of plan?.imports ?? []) {
    const found = store.get(entry.segment);
    if (found) {
      sources.push({ entry, views: found.views });
      if (entry.exact) sequence.counts.exact += entry.length;
      else sequence.counts.imported += entry.length;
      continue;
    }
    sequence.missingSegments.push(entry.segment);
    missing.push({ start: entry.targetStart, end: entry.targetStart + entry.length });
    sequence.degraded = store.isOtherGeneration(entry.segment)
      ? 'stale-generation'
      : 'segment-evicted';
  }
  if (missing.length > 0) {
    sequence.setRecompute(mergeRanges([...sequence.plannedRecompute(), ...missing]));
  }
  return sources;
}

/** Pages that the new context can share: what one donor gives from 0 on, in place, not recomputed. */
function sharedPrefix(sequence: Sequence, sources: readonly ImportSource[]): PageView[] {
  const first = sources[0];
  let at = 0;
  for (const { entry } of sources) {
    const inPlace = entry.targetStart === at && entry.donorStart === at;
    const kept = sequence.keptRanges(entry)[0];
    if (entry.segment !== first?.entry.segment || !inPlace || kept?.start !== at) break;
    at = kept.end;
    if (kept.end < entry.targetStart + entry.length) break;
  }
  return first ? headViews(first.views, at) : [];
}

/** First position that holds approximate KV. */
function firstApproximate(sequence: Sequence, sources: readonly ImportSource[]): number {
  for (const { entry } of sources) {
    const kept = entry.exact ? undefined : sequence.keptRanges(entry)[0];
    if (kept) return kept.start;
  }
  return sequence.request.tokens.length;
}

/** waiting → prefill: imports what the plan names. An import that fails costs time, not the answer. */
export function startSequence(sequence: Sequence, { model, store }: StepContext): void {
  const start = performance.now();
  sequence.timings.queueMs = start - sequence.submittedAt;
  sequence.phase = 'prefill';
  const sources = resolveSources(sequence, store);
  const recompute = mergeRanges(rangesOf(sequence.pending));
  try {
    const { plan } = sequence.request;
    const turns = plan?.policy !== 'naive';
    const imported = importKv(model.tf, model.rotary, sources, recompute, turns);
    if (imported && plan && isStaged(plan)) sequence.staged = stage(sequence, model, imported);
    else if (imported) sequence.live.replace(imported.kv, imported.positions);
    sequence.sharedViews = sharedPrefix(sequence, sources);
    sequence.exactTokens = firstApproximate(sequence, sources);
  } catch {
    goCold(sequence);
  }
  sequence.timings.importMs = performance.now() - start;
  sequence.timings.overheadMs += sequence.timings.importMs;
}

function rangesOf(sorted: Int32Array): TokenRange[] {
  return Array.from(sorted, (at) => ({ start: at, end: at + 1 }));
}

/** Computes up to `chunkTokens` pending positions; samples the first token behind the last one. */
export function prefillChunk(sequence: Sequence, { model, chunkTokens }: StepContext): void {
  if (sequence.staged) {
    stagedChunk(sequence, sequence.staged, chunkTokens);
    return;
  }
  const start = performance.now();
  const rows = sequence.pending.slice(0, chunkTokens);
  sequence.pending = sequence.pending.slice(chunkTokens);
  const done = sequence.pending.length === 0;
  const output = model.forward({
    ids: Int32Array.from(rows, (at) => sequence.request.tokens[at]!),
    positions: rows,
    past: sequence.live.kv,
    pastPositions: sequence.live.positions,
    logitRows: done ? 1 : 0,
  });
  sequence.live.replace(output.kv, rows);
  sequence.layerTokens += rows.length * model.config.numLayers;
  sequence.timings.overheadMs += output.overheadMs;
  sequence.timings.prefillMs += performance.now() - start;
  if (output.logits) drawFirst(sequence, output.logits);
}

/** Keeps the prompt's KV for later requests; runs behind the first token, never before it. */
export function keepPrompt(sequence: Sequence, { model, store }: StepContext): void {
  sequence.phase = 'decode';
  const { request, exactTokens } = sequence;
  if (!request.store) return;
  // The donor may have been evicted while this prompt was computed; its pages are gone then.
  const alive = sequence.sharedViews.every((view) => view.page.refs > 0);
  const sharedViews = alive ? sequence.sharedViews : [];
  const shared = sharedViews.reduce((sum, view) => sum + viewLength(view), 0);
  sequence.stored = store.put({
    context: {
      scope: request.scope,
      owner: request.owner,
      tokens: request.tokens,
      exactTokens,
      promptTokens: request.tokens.length,
    },
    shared: sharedViews,
    makePage: () => sequence.live.copyRange(model.tf, shared, request.tokens.length),
  });
  if (sequence.stored) sequence.events.push({ type: 'stored', context: sequence.stored });
}

/**
 * Feeds the last generated token and samples the next one. With it go the next imported tokens that are to be
 * computed again (KVShare v2, arXiv 2503.16525 §4.3): what they became then counts from here on.
 */
export function decodeStep(sequence: Sequence, { model }: StepContext): void {
  const { tokens, plan } = sequence.request;
  const position = tokens.length + sequence.generated.length - 1;
  const count = plan?.decodeRefresh ?? 0;
  const again = sequence.refresh.slice(0, count).sort();
  sequence.refresh = sequence.refresh.slice(count);
  sequence.live.drop(model.tf, again);
  sequence.refreshed += again.length;
  const rows = joinPositions(again, Int32Array.of(position));
  const output = model.forward({
    ids: Int32Array.from(rows, (at) =>
      at === position ? sequence.generated.at(-1)! : tokens[at]!,
    ),
    positions: rows,
    past: sequence.live.kv,
    pastPositions: sequence.live.positions,
    logitRows: 1,
  });
  sequence.live.replace(output.kv, rows);
  const logits = output.logits!.dataSync<'float32'>();
  output.logits!.dispose();
  sequence.generated.push(sampleToken(logits, sequence.request.sampling, sequence.random));
}

/** Adds the answer's KV behind the stored prompt, for the next turn of the conversation. */
export function keepAnswer(sequence: Sequence, { model, store }: StepContext): void {
  const { request, generated, stored } = sequence;
  const computed = sequence.live.positions.length - request.tokens.length;
  if (!stored || computed <= 0) return;
  const tokens = [...request.tokens, ...generated.slice(0, computed)];
  const extended = store.extend(stored.segment, tokens, () =>
    sequence.live.copyRange(model.tf, request.tokens.length, tokens.length),
  );
  if (extended) sequence.events.push({ type: 'stored', context: extended });
}
