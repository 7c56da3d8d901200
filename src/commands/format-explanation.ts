// The answer of POST /kvshare/plan on one screen: what is reused, which donors were considered, and the prompt with
// every stretch marked. Colours on a terminal, brackets elsewhere.

interface Span {
  readonly start: number;
  readonly end: number;
  readonly mark: 'exact' | 'imported' | 'recomputed';
  readonly reason: string | null;
  readonly text: string;
}

/** The part of the answer that is printed. */
export interface Explanation {
  readonly prompt_tokens: number;
  readonly route: string;
  readonly options: { readonly policy: string };
  readonly outcome: string;
  readonly reason: string;
  readonly exact_tokens: number;
  readonly imported_tokens: number;
  readonly recomputed_tokens: number;
  readonly predicted_ms: number;
  readonly cold_ms: number;
  readonly vector_match: {
    readonly embedder: string;
    readonly threshold: number;
    readonly pairs: number;
  } | null;
  readonly learned: { readonly paused: boolean; readonly medianSavedMs: number | null } | null;
  readonly guard: {
    readonly rung: string;
    readonly tried: {
      readonly rung: string;
      readonly samples: number;
      readonly needed: number;
    } | null;
  };
  readonly last_run: { readonly outcome: string; readonly ttft_ms: number } | null;
  readonly first_divergence: { readonly at: number; readonly text: string } | null;
  readonly donors: readonly {
    readonly segment: string;
    readonly tokens: number;
    readonly similarity: number | null;
    readonly overlap: number;
    readonly gate: string;
  }[];
  readonly edits: readonly {
    readonly start: number;
    readonly kinds: readonly string[];
    readonly text: string;
  }[];
  readonly spans: readonly Span[];
}

const RESET = '\u001b[0m';
const colors = { exact: '\u001b[32m', imported: '\u001b[36m', recomputed: '\u001b[33m' } as const;
const brackets = { exact: '=', imported: '+', recomputed: '!' } as const;

const ms = (value: number): string => `${Math.round(value)} ms`;
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

function headLines(e: Explanation): string[] {
  const lines = [
    `route ${e.route}, policy ${e.options.policy}: ${e.outcome} (${e.reason})`,
    `${e.prompt_tokens} tokens: ${e.exact_tokens} exact, ${e.imported_tokens} imported, ${e.recomputed_tokens} computed`,
    `first token expected after ${ms(e.predicted_ms)}, cold ${ms(e.cold_ms)}` +
      (e.last_run ? `; last time ${ms(e.last_run.ttft_ms)} (${e.last_run.outcome})` : ''),
  ];
  if (e.learned?.paused) {
    const saved = ms(e.learned.medianSavedMs ?? 0);
    lines.push(`reuse is paused on this route at this length: it saved ${saved} in the median`);
  }
  if (e.guard.tried) {
    const { rung, samples, needed } = e.guard.tried;
    lines.push(
      `served as "${e.guard.rung}"; of "${rung}" ${samples} of ${needed} comparisons with full prefill are there`,
    );
  }
  if (e.vector_match) {
    const { embedder, threshold, pairs } = e.vector_match;
    const basis = pairs > 0 ? `calibrated on ${pairs} unrelated pairs` : 'not calibrated yet';
    lines.push(`prompts are alike from similarity ${threshold.toFixed(2)} (${embedder}, ${basis})`);
  }
  if (e.first_divergence) {
    const { at, text } = e.first_divergence;
    lines.push(`no donor goes on in place from token ${at}: ${JSON.stringify(text)}`);
  }
  return lines;
}

function donorLines({ donors }: Explanation): string[] {
  if (donors.length === 0) return ['no donors were found in this scope'];
  const rows = donors.map(({ segment, tokens, similarity, overlap, gate }) =>
    [
      segment.padEnd(24),
      `${tokens}`.padStart(7),
      (similarity === null ? '-' : similarity.toFixed(2)).padStart(10),
      percent(overlap).padStart(8),
      `  ${gate}`,
    ].join(' '),
  );
  return ['donor'.padEnd(24) + '  tokens similarity  overlap   gate', ...rows];
}

const editLines = ({ edits }: Explanation): string[] =>
  edits.map(({ start, kinds, text }) => {
    const kind = kinds.length > 0 ? `changes meaning (${kinds.join(', ')})` : 'wording';
    return `edit at token ${start}: ${kind}: ${JSON.stringify(text.slice(-60))}`;
  });

function showSpan({ mark, reason, text }: Span, color: boolean): string {
  if (color) return `${colors[mark]}${text}${RESET}`;
  const sign = brackets[mark];
  return `[${sign}${reason ?? ''}|${text}]`;
}

export function formatExplanation(e: Explanation, color: boolean): string {
  const legend = color
    ? `${colors.exact}exact${RESET} ${colors.imported}imported${RESET} ${colors.recomputed}computed${RESET}`
    : '[=|exact] [+|imported] [!why|computed]';
  const prompt = e.spans.map((span) => showSpan(span, color)).join('');
  const parts = [headLines(e), donorLines(e), editLines(e), [legend, prompt]];
  return parts.flatMap((lines) => (lines.length > 0 ? [...lines, ''] : [])).join('\n');
}
