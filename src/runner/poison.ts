// Spoils what an engine has stored, as a faulty store would: every token's V is another token's. For `kvshare drill`
// and tests; nothing that serves imports it.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { Engine } from './engine/engine.ts';
import type { KvPage } from './store/kv-page.ts';

/** Numbers of tokens by which V is turned round. */
const TURN = 5;

/** How many pages were spoiled. Live tensors only: pages that are in host memory or on disk are left alone. */
export function poisonStore({ store, tf }: Pick<Engine, 'store' | 'tf'>): number {
  const pages = new Set<KvPage>();
  for (const { segment } of store.contexts()) {
    for (const { page } of store.get(segment)?.views ?? []) pages.add(page);
  }
  let spoiled = 0;
  for (const page of pages) {
    if (!page.live) continue;
    const { v } = page.live;
    const [layers, heads, tokens, size] = v.shape;
    const cut = Math.min(TURN, tokens - 1);
    const turned = tf.tidy(() =>
      tf.concat<Tensor4D>(
        [
          tf.slice(v, [0, 0, cut, 0], [layers, heads, tokens - cut, size]),
          tf.slice(v, [0, 0, 0, 0], [layers, heads, cut, size]),
        ],
        2,
      ),
    ); // [layers, kvHeads, tokens, headDim]
    page.live = { ...page.live, v: turned };
    v.dispose();
    spoiled++;
  }
  return spoiled;
}
