// An engine with two donors, as the oracle sees them.
import type { ReusePlan } from '../../src/protocol/index.ts';
import { tokensOf } from './extra-plans.ts';
import { oracleForward } from './oracle.ts';
import { collect, requestOf } from './plans.ts';
import { tinyEngine, type TinyOptions } from './tiny-engine.ts';

const never = new AbortController().signal;

export async function withTwoDonors(options: TinyOptions = {}) {
  const tiny = await tinyEngine(options);
  const donors = [tokensOf(48, 1), tokensOf(48, 2)];
  const segments: string[] = [];
  for (const tokens of donors) {
    const { stored } = await collect(tiny.engine.generate(requestOf(tokens), never));
    segments.push(stored!.segment);
  }
  const kv = donors.map((tokens) => oracleForward(tiny.oracle, tokens).kv);
  const ask = (
    target: readonly number[],
    plan: ReusePlan | null,
    { maxTokens = 1, store = false } = {},
  ) =>
    collect(
      tiny.engine.generate(requestOf(target, { plan, store, sampling: { maxTokens } }), never),
    );
  return { ...tiny, donors, segments, kv, ask };
}
