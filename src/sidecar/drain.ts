// The end of serving, in good order: nobody new gets in, whoever is inside finishes; what takes longer than that is
// ended with an error that its client can read.
import { setTimeout as sleep } from 'node:timers/promises';
import type { SidecarContext } from './context.ts';

/** What an answer that is ended needs to say so. */
export const FAREWELL_MS = 1_000;

/** Timers know no more: 25 days. */
const MOST_MS = 2 ** 31 - 1;

/** Whether it happened in time. */
export const within = (ms: number, happens: Promise<void>): Promise<boolean> =>
  Promise.race([happens.then(() => true), sleep(Math.min(ms, MOST_MS), false, { ref: false })]);

/** Resolves when nobody is inside any more. */
export async function drain(
  { admission, endings }: Pick<SidecarContext, 'admission' | 'endings'>,
  graceMs: number,
): Promise<void> {
  admission.close();
  if (await within(graceMs, admission.empty())) return;
  endings.endAll();
  await within(FAREWELL_MS, admission.empty());
}
