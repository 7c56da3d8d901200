// The answers of one case: what full prefill says, and how far another prefill of the same prompt is from it.
import type { Tokenizer } from '../../tokenizer/index.ts';
import { divergence, logSoftmax, meanLogProbability, mostLikely } from '../../distributions.ts';
import type { Probed } from './prober.ts';
import type { QualityCase } from './quality-case.ts';
import { bleu, rougeL } from './text-scores.ts';

/** Under full prefill and under the policy. */
export interface Pair {
  readonly full: number;
  readonly policy: number;
}

export interface AnswerScores {
  /** KL(full || policy) of the first token, nats. */
  readonly kl1: number;
  /** Mean over the tokens of full prefill's greedy answer, at most 32, teacher-forced. */
  readonly kl32: number;
  /** 1 when the most likely first token is the same. */
  readonly top1: number;
  /** Share of those tokens whose most likely next token is the same. */
  readonly agree32: number;
  /** Of the two greedy answers. */
  readonly rougeL: number;
  /** Edit cases: mean log-probability of the new answer minus that of the old one; `stale` behind the donor's prompt. */
  readonly margin?: Pair & { readonly stale: number };
  readonly reference?: {
    /** Nats per token. */
    readonly logProb: Pair;
    readonly rougeL: Pair;
    readonly bleu: Pair;
  };
}

const ANSWER_TOKENS = 32;
/** A reference is scored up to here. */
const REFERENCE_TOKENS = 256;

interface Full {
  readonly answer: readonly number[];
  readonly text: string;
  /** Log-distribution by token of the answer. */
  readonly logs: readonly Float64Array[];
  readonly margin: number | null;
  readonly referenceLogProb: number | null;
}

export class AnswerScorer {
  readonly #case: QualityCase;
  readonly #tokenizer: Tokenizer;
  #full: Full | null = null;
  #stale: number | null = null;

  constructor(qualityCase: QualityCase, tokenizer: Tokenizer) {
    this.#case = qualityCase;
    this.#tokenizer = tokenizer;
  }

  setStale(lastDonor: Probed): void {
    this.#stale = this.#margin(lastDonor);
  }

  setFull(probed: Probed): void {
    const answer = probed.greedy([], ANSWER_TOKENS, this.#tokenizer.stopTokens);
    this.#full = {
      answer,
      text: this.#tokenizer.decode(answer),
      logs: Array.from(probed.logits(answer), logSoftmax),
      margin: this.#margin(probed),
      referenceLogProb: this.#referenceLogProb(probed),
    };
  }

  /** Against full prefill, which must have been set. */
  score(probed: Probed): AnswerScores {
    const full = this.#full!;
    const divergences: number[] = [];
    const agrees: boolean[] = [];
    for (const logits of probed.logits(full.answer)) {
      const [log, fullLog] = [logSoftmax(logits), full.logs[divergences.length]!];
      divergences.push(divergence(fullLog, log));
      agrees.push(mostLikely(log) === mostLikely(fullLog));
    }
    const text = this.#textOf(probed, agrees);
    const sum = divergences.reduce((total, kl) => total + kl, 0);
    return {
      kl1: divergences[0]!,
      kl32: sum / divergences.length,
      top1: agrees[0] ? 1 : 0,
      agree32: agrees.filter(Boolean).length / agrees.length,
      rougeL: rougeL(text, full.text),
      ...this.#marginScore(probed, full),
      ...this.#referenceScore(probed, full, text),
    };
  }

  /** The policy's own greedy answer: the same as full prefill's as long as every token agrees. */
  #textOf(probed: Probed, agrees: readonly boolean[]): string {
    const { answer, text } = this.#full!;
    const same = agrees.indexOf(false);
    if (same < 0) return text;
    const begun = answer.slice(0, same);
    const own = probed.greedy(begun, ANSWER_TOKENS, this.#tokenizer.stopTokens);
    return this.#tokenizer.decode(own);
  }

  #tokensOf(text: string): number[] {
    return [...this.#tokenizer.encode(text.trim(), { special: false })];
  }

  #logProb(probed: Probed, tokens: readonly number[]): number {
    return meanLogProbability(probed.logits(tokens), tokens);
  }

  #margin(probed: Probed): number | null {
    const { answerNew, answerOld } = this.#case;
    if (answerNew === undefined || answerOld === undefined) return null;
    const [fresh, old] = [answerNew, answerOld].map((text) =>
      this.#logProb(probed, this.#tokensOf(text)),
    ) as [number, number];
    return fresh - old;
  }

  #marginScore(probed: Probed, full: Full): Pick<AnswerScores, 'margin'> {
    const policy = this.#margin(probed);
    if (policy === null || full.margin === null || this.#stale === null) return {};
    return { margin: { full: full.margin, policy, stale: this.#stale } };
  }

  #referenceLogProb(probed: Probed): number | null {
    const { reference } = this.#case;
    if (reference === undefined) return null;
    return this.#logProb(probed, this.#tokensOf(reference).slice(0, REFERENCE_TOKENS));
  }

  #referenceScore(probed: Probed, full: Full, text: string): Pick<AnswerScores, 'reference'> {
    const { reference } = this.#case;
    const logProb = this.#referenceLogProb(probed);
    if (reference === undefined || logProb === null || full.referenceLogProb === null) return {};
    return {
      reference: {
        logProb: { full: full.referenceLogProb, policy: logProb },
        rougeL: { full: rougeL(full.text, reference), policy: rougeL(text, reference) },
        bleu: { full: bleu(full.text, reference), policy: bleu(text, reference) },
      },
    };
  }
}
