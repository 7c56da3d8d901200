// The first step of a sequence: finds the plan's sources, says which token is what, imports.
import { mergeRanges, positions, type TokenRange } from '../../kv/index.ts';
import { headViews, pagesOf, roundedFrom, viewLength, type PageView } from '../store/kv-page.ts';
import type { PlanImport } from '../../protocol/index.ts';
import type { KvStore } from '../store/kv-store.ts';
import type { StepContext } from './forward-rows.ts';
import { importKv, type ImportSource } from './import-kv.ts';
import { RunDrift } from './run-drift.ts';
import type { Sequence } from './sequence.ts';

/** The plan's sources that are still stored; the rest turns into recomputation. */
function resolveSources(sequence: Sequence, store: KvStore): ImportSource[] {
  const { plan } = sequence.request;
  const sources: ImportSource[] = [];
  const missing: TokenRange[] = [];
  for (const entry of plan?.imports ?? []) {
    const views = store.get(entry.segment)?.views;
    const pages = pagesOf(views ?? [], entry.donorStart, entry.donorStart + entry.length);
    if (views && pages.every((page) => page.live)) {
      for (const part of byExactness(entry, views)) {
        sources.push({ entry: part, views });
        sequence.counts[part.exact ? 'exact' : 'imported'] += part.length;
      }
      continue;
    }
    missing.push({ start: entry.targetStart, end: entry.targetStart + entry.length });
    if (views) {
      // It is stored, but could not be brought back in time.
      sequence.degraded = 'import-failed';
      continue;
    }
    sequence.missingSegments.push(entry.segment);
    sequence.degraded = store.names.isOtherGeneration(entry.segment)
      ? 'stale-generation'
      : 'segment-evicted';
  }
  if (missing.length > 0) {
    const ranges = mergeRanges([...sequence.plannedRecompute(), ...missing]);
    sequence.fresh = Int32Array.from(positions(ranges));
  }
  return sources;
}

/** KV that was rounded in a lower tier is approximate, whatever it was computed from: nothing exact follows from it. */
function byExactness(entry: PlanImport, views: readonly PageView[]): PlanImport[] {
  if (!entry.exact) return [entry];
  const { donorStart, targetStart, length } = entry;
  const exactLength = roundedFrom(views, donorStart, donorStart + length) - donorStart;
  const rest = {
    ...entry,
    donorStart: donorStart + exactLength,
    targetStart: targetStart + exactLength,
    length: length - exactLength,
    exact: false,
  };
  return [{ ...entry, length: exactLength }, rest].filter((part) => part.length > 0);
}

/** Pages that the new context can share: what one donor gives from 0 on, in place, not recomputed. */
function sharedPrefix(sequence: Sequence, sources: readonly ImportSource[]): PageView[] {
  const { plan } = sequence.request;
  // Tokens that are not exact may yet be picked, or are fresh in the first layers.
  const exactOnly = plan !== null && (plan.topUp !== null || plan.fullLayers > 0);
  const first = sources[0];
  let at = 0;
  for (const { entry } of sources) {
    const inPlace = entry.targetStart === at && entry.donorStart === at;
    const kept = sequence.keptRanges(entry)[0];
    if (entry.segment !== first?.entry.segment || !inPlace || kept?.start !== at) break;
    if (exactOnly && !entry.exact) break;
    at = kept.end;
    if (kept.end < entry.targetStart + entry.length) break;
  }
  return first ? headViews(first.views, at) : [];
}

/** Imported positions that are neither exact nor recomputed. */
function keptPositions(sequence: Sequence, sources: readonly ImportSource[]): Int32Array {
  const approximate = sources.filter(({ entry }) => !entry.exact);
  return Int32Array.from(positions(approximate.flatMap(({ entry }) => sequence.keptRanges(entry))));
}

/** The rows of the scoring pass: what is not imported at all, what changed, the question. */
function askingRows(sequence: Sequence, sources: readonly ImportSource[]): Int32Array {
  const imported = sources.map(({ entry }) => ({
    start: entry.targetStart,
    end: entry.targetStart + entry.length,
  }));
  const repairs = sequence
    .plannedRecompute()
    .filter(
      (range) => 'reason' in range && range.reason !== 'changed' && range.reason !== 'suffix',
    );
  const covered = new Set(positions(imported));
  const repaired = new Set(positions(repairs));
  const last = sequence.request.tokens.length - 1;
  return sequence.fresh.filter((at) => at === last || !(covered.has(at) && repaired.has(at)));
}

/** Null where the plan does not ask for it, or nothing of what was imported is computed again. */
function driftOf(
  sequence: Sequence,
  sources: readonly ImportSource[],
  { model: { tf, rotary } }: StepContext,
): RunDrift | null {
  const { request, kept, sharedViews } = sequence;
  const strength = request.plan?.driftCorrection ?? 0;
  if (strength === 0 || kept.length === 0) return null;
  // What stays where its donor has it shares the donor's pages, which nobody changes.
  const shared = sharedViews.reduce((sum, view) => sum + viewLength(view), 0);
  const moved = sources.filter(({ entry }) => !entry.exact && entry.targetStart >= shared);
  const turnKeys = request.plan?.policy !== 'naive';
  const stale = importKv(tf, rotary, moved, { skip: kept, turnKeys });
  if (!stale) return null;
  const runs = moved.map(({ entry: { targetStart: start, length } }) => ({
    start,
    end: start + length,
  }));
  return new RunDrift({ strength, runs, stale, kept });
}

/** waiting → prefill: imports what the plan names. An import that fails costs time, not the answer. */
export function startSequence(sequence: Sequence, step: StepContext): void {
  const start = performance.now();
  const { tf, rotary } = step.model;
  sequence.timings.queueMs = start - sequence.submittedAt;
  sequence.phase = 'prefill';
  const sources = resolveSources(sequence, step.store);
  try {
    const { plan } = sequence.request;
    sequence.kept = keptPositions(sequence, sources);
    const asks = plan?.topUp?.selector === 'query-attention' && sequence.kept.length > 0;
    if (asks) sequence.asking = askingRows(sequence, sources);
    const imported = importKv(tf, rotary, sources, {
      skip: asks ? sequence.asking : sequence.fresh,
      turnKeys: plan?.policy !== 'naive',
    });
    if (imported) sequence.live.append(imported.kv, imported.positions);
    sequence.sharedViews = sharedPrefix(sequence, sources);
    sequence.drift = driftOf(sequence, sources, step);
  } catch {
    sequence.goCold();
  }
  sequence.bringing?.release();
  sequence.lease?.started();
  sequence.timings.importMs = performance.now() - start;
  sequence.timings.overheadMs += sequence.timings.importMs;
}
