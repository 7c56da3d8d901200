// What it costs an app to mount KVShare for requests that it has bypass it: the same requests by turns to the app with
// the mount and to the same app without. Apps and client share one event loop: whatever the mount computes is seen.
import { setTimeout as sleep } from 'node:timers/promises';
import { KvShareError } from '../../errors.ts';
import { postForStream, sentEvents } from '../../harness/index.ts';
import { clinicTrace } from '../clinic-trace.ts';
import { spreadOf, type Spread } from './spread.ts';

/** A path that is not KVShare's; requests that `bypass` hands on; a policy under which KVShare serves, without reuse. */
export const bypasses = ['otherPath', 'bypass', 'policyOff'] as const;
export type Bypass = (typeof bypasses)[number];

export interface BypassingApps {
  /** Where the same request is answered in the same way. */
  readonly urls: Readonly<Record<Bypass, { readonly mounted: string; readonly plain: string }>>;
  close(): Promise<void>;
}

export type MountedBypass = Readonly<
  Record<Bypass, { readonly addedFirstByteMs: Spread; readonly plainFirstByteMs: Spread }>
>;

type Messages = ReturnType<typeof clinicTrace>[number]['messages'];

/** Requests do not come without a pause, in which work behind the answer is done. */
const PAUSE_MS = 5;
const TOKENS = 2;

/** From sending to the first content. */
async function firstByteMs(url: string, messages: Messages): Promise<number> {
  const body = { model: 'default', messages, max_tokens: TOKENS, stream: true };
  const { status, sentAt, pieces } = await postForStream({ url, body });
  const first = sentEvents(pieces).find(({ text }) => /"content":"[^"]/.test(text));
  if (status !== 200 || !first) throw new KvShareError('runner_failed', `HTTP ${status}: ${url}`);
  await sleep(PAUSE_MS);
  return first.at - sentAt;
}

export async function measureMountedBypass(options: {
  readonly requests: number;
  /** That are not counted. */
  readonly warmUp: number;
  readonly open: () => Promise<BypassingApps>;
  readonly onProgress: (done: number, total: number, label: string) => void;
}): Promise<MountedBypass> {
  const { requests, warmUp, open, onProgress } = options;
  const trace = clinicTrace(requests + warmUp);
  const apps = await open();
  const measure = async (bypass: Bypass): Promise<MountedBypass[Bypass]> => {
    const { mounted, plain } = apps.urls[bypass];
    const [added, without]: [number[], number[]] = [[], []];
    for (const [at, { messages }] of trace.entries()) {
      onProgress(at, trace.length, `mounted, ${bypass}`);
      // Whoever comes second finds warmer caches.
      const order = at % 2 === 0 ? [mounted, plain] : [plain, mounted];
      const ms = new Map<string, number>();
      for (const url of order) ms.set(url, await firstByteMs(url, messages));
      added.push(ms.get(mounted)! - ms.get(plain)!);
      without.push(ms.get(plain)!);
    }
    return {
      addedFirstByteMs: spreadOf(added.slice(warmUp)),
      plainFirstByteMs: spreadOf(without.slice(warmUp)),
    };
  };
  try {
    const measured: Partial<Record<Bypass, MountedBypass[Bypass]>> = {};
    for (const bypass of bypasses) measured[bypass] = await measure(bypass);
    return measured as MountedBypass;
  } finally {
    await apps.close();
  }
}
