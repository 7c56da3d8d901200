// The conservation law of contexts and pages; page-pool.ts has that of bytes.
import { viewLength, type KvPage } from './kv-page.ts';
import type { StoredKv } from './kv-store-options.ts';

/** Every page that is shown. Throws when contexts and pages disagree about each other. */
export function checkContexts(contexts: Iterable<[string, StoredKv]>): KvPage[] {
  const pages = new Map<KvPage, Set<string>>();
  for (const [segment, { context, views }] of contexts) {
    const length = views.reduce((sum, view) => sum + viewLength(view), 0);
    if (length !== context.tokens.length) throw new Error('views do not cover the context');
    for (const { page } of views) {
      pages.set(page, (pages.get(page) ?? new Set()).add(segment));
      if (page.scope !== context.scope) throw new Error('a page is shown in another scope');
    }
  }
  for (const [page, holders] of pages) {
    if (page.holders.size !== holders.size || ![...holders].every((id) => page.holders.has(id))) {
      throw new Error(`a page has ${page.holders.size} holders, not ${holders.size}`);
    }
    if (!page.live && !page.packed && !page.file) throw new Error('a page is nowhere');
  }
  return [...pages.keys()];
}
