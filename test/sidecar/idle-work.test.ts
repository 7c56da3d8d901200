import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Admission } from '../../src/sidecar/admission.ts';
import { IdleWork, isOutOfTime } from '../../src/sidecar/idle-work.ts';
import { memoryLog } from '../support/served.ts';

function setUp() {
  let time = 0;
  const admission = new Admission(8);
  const log = memoryLog();
  const idle = new IdleWork({ admission, log, now: () => time });
  admission.onLeave = () => idle.resume();
  const done: string[] = [];
  /** Takes two turns; gives up when it should. */
  const add = (what: string, tenant = 'northgate') =>
    idle.add({
      what,
      tenant,
      run: async (signal) => {
        await sleep(5);
        if (signal.aborted) return false;
        done.push(what);
        return true;
      },
    });
  return { admission, idle, log, done, add, pass: (ms: number) => (time += ms) };
}

describe('IdleWork', () => {
  it('waits until nobody is inside, then runs one piece after the other', async () => {
    const { admission, idle, done, add } = setUp();
    const { leave } = admission.enter(null);
    expect([add('a'), add('b')]).toEqual([true, true]);
    idle.resume();
    await sleep(20);
    expect(done).toEqual([]);
    leave();
    await sleep(40);
    expect(done).toEqual(['a', 'b']);
    await idle.close();
  });

  it('gives way to a request and tries again when it has left', async () => {
    const { admission, idle, done, add } = setUp();
    add('a');
    idle.resume();
    const { leave } = admission.enter(null);
    idle.giveWay();
    await sleep(20);
    expect(done).toEqual([]);
    leave();
    await sleep(20);
    expect(done).toEqual(['a']);
    await idle.close();
  });

  it('runs beside requests only what has waited long, for a fiftieth of the time', async () => {
    const { admission, idle, done, add, pass } = setUp();
    const { leave } = admission.enter(null);
    add('a');
    pass(31_000);
    idle.resume();
    // It does not give way any more.
    idle.giveWay();
    await sleep(20);
    expect(done).toEqual(['a']);
    add('b');
    pass(1_000);
    idle.resume();
    await sleep(20);
    expect(done).toEqual(['a']);
    leave();
    await sleep(20);
    expect(done).toEqual(['a', 'b']);
    await idle.close();
  });

  it('is not starved by one client that always asks again', async () => {
    const { admission, idle, done, add, pass } = setUp();
    add('a');
    for (let i = 0; i < 6; i++) {
      const { leave } = admission.enter(null);
      idle.giveWay();
      await sleep(10);
      leave();
      expect(done).toEqual([]);
    }
    pass(31_000);
    // Still interrupted: that one began before its patience was over.
    const { leave } = admission.enter(null);
    idle.giveWay();
    await sleep(10);
    leave();
    admission.enter(null);
    idle.giveWay();
    await sleep(20);
    expect(done).toEqual(['a']);
    await idle.close();
  });

  it('holds so much and no more, gives up what keeps failing, and says nothing of texts', async () => {
    const { admission, idle, log, add } = setUp();
    const { leave } = admission.enter(null);
    expect(Array.from({ length: 10 }, (_, i) => add(`${i}`)).filter(Boolean)).toHaveLength(8);
    await idle.close();
    expect(add('late')).toBe(false);
    leave();
    const again = setUp();
    let tries = 0;
    again.idle.add({ tenant: null, what: 'stubborn', run: async () => (tries++, false) });
    again.idle.add({
      tenant: null,
      what: 'broken',
      run: () => Promise.reject(new Error('the prompt')),
    });
    again.idle.resume();
    await sleep(20);
    expect(tries).toBe(3);
    expect(again.log.lines.join()).toContain('broken');
    expect(again.log.lines.join()).not.toContain('the prompt');
    expect(log.lines).toEqual([]);
    await again.idle.close();
  });

  it('has a place for everybody: whoever has most waiting gives one up', async () => {
    const { admission, idle, done, add } = setUp();
    const { leave } = admission.enter(null);
    for (let i = 1; i <= 8; i++) expect(add(`busy ${i}`)).toBe(true);
    expect(add('busy 9')).toBe(false);
    for (let i = 1; i <= 4; i++) expect(add(`rare ${i}`, 'southside')).toBe(true);
    expect(add('rare 5', 'southside')).toBe(false);
    leave();
    await sleep(150);
    expect(done).toEqual([
      ...['busy 1', 'busy 2', 'busy 3', 'busy 4', 'rare 1', 'rare 2', 'rare 3', 'rare 4'],
    ]);
    await idle.close();
  });

  it('ends what takes too long, and warns of it', async () => {
    const admission = new Admission(8);
    const log = memoryLog();
    const idle = new IdleWork({ admission, log, now: () => 0, deadlineMs: 20 });
    const reasons: boolean[] = [];
    idle.add({
      tenant: null,
      what: 'endless',
      run: async (signal) => {
        await once(signal, 'abort');
        reasons.push(isOutOfTime(signal));
        return false;
      },
    });
    idle.resume();
    await sleep(150);
    expect(reasons).toEqual([true, true, true]);
    expect(log.lines[0]).toContain('took too long');
    await idle.close();
  });
});
