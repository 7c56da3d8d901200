// The guard's state as an operator sees it: part of what the dry run says.
import { KvShareError } from '../errors.ts';
import type { ChatTurn } from '../harness/index.ts';

export interface GuardView {
  readonly rung: string;
  readonly trips: number;
  readonly compared: number;
  readonly served: {
    readonly samples: number;
    readonly kl: number | null;
    readonly top1: number | null;
  };
  readonly tried: { readonly samples: number; readonly needed: number } | null;
}

export async function guardOf(
  url: string,
  apiKey: string,
  messages: readonly ChatTurn[],
): Promise<GuardView> {
  const response = await fetch(`${url}/kvshare/plan`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    body: JSON.stringify({ model: 'default', messages }),
  });
  if (!response.ok) throw new KvShareError('runner_failed', `HTTP ${response.status} for a plan.`);
  return ((await response.json()) as { guard: GuardView }).guard;
}
