// For what happens while answers are under way.
import { receiptOf, ScriptedRunner } from './scripted-runner.ts';

/** A runner whose answers end when the test says so. */
export function heldRunner(): { runner: ScriptedRunner; release: () => void } {
  const runner = new ScriptedRunner();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  runner.script = async function* (request, signal) {
    yield { type: 'receipt', receipt: receiptOf(request) };
    yield { type: 'token', id: 60 };
    const aborted = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve()),
    );
    await Promise.race([held, aborted]);
    yield { type: 'end', reason: signal.aborted ? 'cancelled' : 'length' };
  };
  return { runner, release };
}
