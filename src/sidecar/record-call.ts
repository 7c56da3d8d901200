// Keeps a request for `kvshare replay`: token ids and their flags, no text. Requests without a key are nobody's
// traffic and are not kept; neither is what its sender wants not stored.
import type { SidecarContext } from './context.ts';
import type { Call } from './read-call.ts';

export function recordCall({ recorder, finder, wallClock }: SidecarContext, call: Call): void {
  const { identity, cache, prompt, route, id } = call;
  if (!recorder || identity.tenant === null || !cache.store) return;
  recorder.record({
    id,
    t_ms: wallClock(),
    tenant: identity.tenant,
    user: identity.user ?? '',
    route: route.name,
    suffixStart: prompt.suffixStart,
    tokens: prompt.tokens,
    classes: Uint8Array.from(prompt.tokens, (token) => finder.tokenClasses[token] ?? 0),
  });
}
