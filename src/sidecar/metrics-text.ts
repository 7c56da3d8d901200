// Prometheus' text of this moment: what was counted, and what only somebody who looks makes known.
import type { SidecarContext } from './context.ts';

export function metricsText({
  metrics,
  link,
  admission,
  finder,
}: Pick<SidecarContext, 'metrics' | 'link' | 'admission' | 'finder'>): Promise<string> {
  if (link.connected) metrics.store.show(link.info.store);
  metrics.showState({
    runnerUp: link.connected,
    inFlight: admission.inside,
    donors: finder.index.size,
  });
  return metrics.text();
}
