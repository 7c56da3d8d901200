// What every implementation of the Runner port must do. Takes a factory, so that the in-process engine, the
// HTTP client and the adapters answer the same questions; what a runner declares decides what it is asked.
import { expect, it } from '@jest/globals';
import type { Runner } from '../../src/protocol/index.ts';
import { collect, planOf, requestOf } from '../support/plans.ts';

const never = new AbortController().signal;
const tokens = Array.from({ length: 40 }, (_, i) => (i * 7) % 50);

async function codeOf(work: () => AsyncIterable<unknown>): Promise<string | null> {
  try {
    for await (const _ of work()) break;
    return null;
  } catch (error) {
    return (error as { code?: string }).code ?? 'not ours';
  }
}

/** `sendsText`: its tokens are text encoded again, so only the end says how many were generated. */
export function runnerContract(
  open: () => Promise<{ runner: Runner; close: () => Promise<void> }>,
  { sendsText = false }: { sendsText?: boolean } = {},
): void {
  it('says who it is and greets its watchers with what is stored', async () => {
    const { runner, close } = await open();
    const info = await runner.info();
    expect(info).toMatchObject({ protocolVersions: [1], model: { id: 'tiny' } });
    expect(info.fingerprint).toMatch(/^[\w.-]{1,64}$/);
    const { stored } = await collect(runner.generate(requestOf(tokens), never));
    const stop = new AbortController();
    for await (const event of runner.watch(stop.signal)) {
      expect(event).toEqual({ type: 'hello', generation: info.generation, contexts: [stored] });
      break;
    }
    stop.abort();
    await close();
  });

  it('sends receipt, tokens, stored and one end, in this order', async () => {
    const { runner, close } = await open();
    const answer = await collect(
      runner.generate(requestOf(tokens, { sampling: { maxTokens: 3 } }), never),
    );
    const types = answer.events.map((event) => event.type);
    expect(types[0]).toBe('receipt');
    if (sendsText) expect(answer.events.at(-1)).toMatchObject({ completionTokens: 3 });
    else expect(types.filter((type) => type === 'token')).toHaveLength(3);
    expect(types.at(-1)).toBe('end');
    expect(types.filter((type) => type === 'end')).toHaveLength(1);
    await close();
  });

  it('applies a plan as given and refuses a broken one with its code', async () => {
    const { runner, close } = await open();
    const { stored } = await collect(runner.generate(requestOf(tokens), never));
    const { fingerprint, capabilities } = await runner.info();
    const entry = { segment: stored!.segment, donorStart: 0, targetStart: 0, length: 30 };
    const plan = planOf(40, [{ ...entry, exact: true }], [], fingerprint);
    const target = [...tokens.slice(0, 30), ...tokens.slice(0, 10).map((id) => (id + 1) % 50)];
    const elsewhere = requestOf(target, { plan, scope: 'scope-b' });
    expect(await codeOf(() => runner.generate(elsewhere, never))).toBe('plan_unknown_segment');
    const { receipt } = await collect(runner.generate(requestOf(target, { plan }), never));
    expect(receipt).toMatchObject({ planId: 'plan-1', exactTokens: 30, recomputedTokens: 10 });
    if (capabilities.imports !== 'runs') {
      const moved = planOf(40, [{ ...entry, targetStart: 5, exact: false }], [], fingerprint);
      const asked = requestOf([...tokens.slice(30, 35), ...tokens.slice(0, 30), 1, 2, 3, 4, 5]);
      const work = () => runner.generate({ ...asked, plan: moved }, never);
      expect(await codeOf(work)).toBe('plan_unsupported');
    }
    const broken = { ...plan, recompute: [] };
    expect(await codeOf(() => runner.generate(requestOf(target, { plan: broken }), never))).toBe(
      'plan_invalid',
    );
    expect(await codeOf(() => runner.generate(requestOf([]), never))).toBe('invalid_request');
    await close();
  });

  it('compares a plan with a full prefill where it says that it can', async () => {
    const { runner, close } = await open();
    const { capabilities, fingerprint } = await runner.info();
    const { stored } = await collect(runner.generate(requestOf(tokens), never));
    const entry = { segment: stored!.segment, donorStart: 0, targetStart: 2, length: 30 };
    const target = [3, 4, ...tokens.slice(0, 30), 5, 6];
    const plan = planOf(target.length, [{ ...entry, exact: false }], [], fingerprint);
    const { requestId, scope, owner } = requestOf(target);
    const request = { requestId, scope, owner, tokens: target, plan, answer: [9, 10] };
    if (capabilities.compare) {
      const compared = await runner.compare!(request, never);
      expect(compared).toMatchObject({ tokens: 2 });
      expect(compared!.kl).toBeGreaterThan(0);
      const broken = { ...request, plan: { ...plan, recompute: [] } };
      await expect(runner.compare!(broken, never)).rejects.toMatchObject({ code: 'plan_invalid' });
    }
    await close();
  });

  it('lists, pins and deletes what is stored, when it says that it can', async () => {
    const { runner, close } = await open();
    const { control } = runner;
    if ((await runner.info()).capabilities.storeControl !== true || !control) return close();
    const { stored } = await collect(runner.generate(requestOf(tokens), never));
    const { segment } = stored!;
    expect(await control.list()).toEqual([{ segment, tier: 'live', pinnedForMs: null }]);
    expect(await control.pin([segment, 'never.0'], 60_000)).toEqual([segment]);
    const [pinned] = await control.list();
    expect(pinned!.pinnedForMs).toBeGreaterThan(50_000);
    expect(await control.unpin([segment])).toEqual([segment]);
    expect(await control.unpin([segment])).toEqual([]);
    const events = runner.watch(never)[Symbol.asyncIterator]();
    await events.next();
    expect(await control.remove([segment, segment])).toEqual([segment]);
    expect((await events.next()).value).toEqual({ type: 'evicted', segments: [segment] });
    await events.return?.();
    expect([await control.list(), await control.remove([segment])]).toEqual([[], []]);
    const entry = { segment, donorStart: 0, targetStart: 0, length: 30, exact: true };
    const { fingerprint } = await runner.info();
    const plan = planOf(40, [entry], [], fingerprint);
    const { receipt } = await collect(runner.generate(requestOf(tokens, { plan }), never));
    expect(receipt).toMatchObject({ degraded: 'segment-evicted', exactTokens: 0 });
    return close();
  });

  it('ends an aborted generation without an error', async () => {
    const { runner, close } = await open();
    const abort = new AbortController();
    const request = requestOf(tokens, { sampling: { maxTokens: 400 } });
    let events = 0;
    for await (const event of runner.generate(request, abort.signal)) {
      events++;
      if (event.type === 'token') abort.abort();
    }
    expect(events).toBeLessThan(20);
    for (let i = 0; i < 100 && (await runner.info()).requests.running > 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect((await runner.info()).requests.running).toBe(0);
    await close();
  });
}
