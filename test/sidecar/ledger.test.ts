import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Ledger } from '../../src/sidecar/ledger.ts';

const scope = 'scope-a';
const open = (mostGone?: number): Ledger =>
  new Ledger(
    () => 'northgate',
    () => 7,
    mostGone,
  );
const from = (parents: string[], epoch = 0) => ({
  tenant: 'northgate',
  epoch,
  parents,
  made: null,
  isReadable: false,
});

function store(ledger: Ledger, segment: string, parents: string[] = [], epoch = 0): boolean {
  const isAdmitted = ledger.admit(segment, scope, from(parents, epoch));
  if (isAdmitted) ledger.appear({ segment, scope });
  return isAdmitted;
}

describe('what a donor touched', () => {
  it('learns where one comes from that the runner listed before its request heard of it', () => {
    const ledger = open();
    store(ledger, 'a');
    ledger.appear({ segment: 'b', scope });
    expect(ledger.touchedBy('a')).toEqual(['a']);
    expect(ledger.admit('b', scope, from(['a']))).toBe(true);
    expect(ledger.touchedBy('a')).toEqual(['a', 'b']);
  });

  it('is everything computed over it, through donors that are gone', () => {
    const ledger = open();
    store(ledger, 'a');
    store(ledger, 'other');
    store(ledger, 'b', ['a']);
    store(ledger, 'c', ['b', 'other']);
    ledger.disappear('b');
    expect(ledger.touchedBy('a')).toEqual(['a', 'c']);
    expect(ledger.touchedBy('b')).toEqual(['c']);
    expect(ledger.touchedBy('other')).toEqual(['other', 'c']);
    expect(ledger.touchedBy('never')).toBeNull();
  });

  it('agrees with a search over everything that ever was', () => {
    const step = fc.record({ parents: fc.array(fc.nat(30), { maxLength: 3 }), gone: fc.nat(60) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 31 }), (steps) => {
        const ledger = open();
        const parentsOf: string[][] = [];
        const there = new Set<string>();
        steps.forEach(({ parents, gone }, at) => {
          // A plan names only donors that are there.
          const own = [...new Set(parents.map((n) => `s${n}`))].filter((name) => there.has(name));
          parentsOf.push(own);
          store(ledger, `s${at}`, own);
          there.add(`s${at}`);
          if (there.delete(`s${gone}`)) ledger.disappear(`s${gone}`);
        });
        const isOver = (child: string, ancestor: string): boolean =>
          child === ancestor ||
          parentsOf[Number(child.slice(1))]!.some((parent) => isOver(parent, ancestor));
        for (let n = 0; n < steps.length; n++) {
          const expected = [...there].filter((name) => isOver(name, `s${n}`)).sort();
          expect(ledger.touchedBy(`s${n}`)?.sort() ?? []).toEqual(expected);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('may be all that came from before this process, when it did so itself', () => {
    const ledger = open();
    for (const segment of ['old-1', 'old-2']) ledger.appear({ segment, scope });
    ledger.appear({ segment: 'elsewhere', scope: 'scope-b' });
    store(ledger, 'new');
    store(ledger, 'over', ['old-2']);
    expect(ledger.touchedBy('old-1')!.sort()).toEqual(['old-1', 'old-2', 'over']);
    expect(ledger.touchedBy('new')).toEqual(['new']);
    expect(ledger.recordOf('over')).toMatchObject({ hasUnknownAncestors: true });
  });

  it('is unknown where more has gone than can be remembered', () => {
    const ledger = open(1);
    store(ledger, 'a');
    store(ledger, 'b', ['a']);
    store(ledger, 'c', ['b']);
    ledger.disappear('a');
    expect(ledger.touchedBy('a')).toEqual(['b', 'c']);
    ledger.disappear('b');
    expect(ledger.touchedBy('a')).toBeNull();
    store(ledger, 'd');
    expect(ledger.touchedBy('b')).toEqual(['c']);
    expect(ledger.recordOf('c')).toMatchObject({ hasUnknownAncestors: true });
    expect(ledger.recordOf('d')).toMatchObject({ hasUnknownAncestors: false });
    // What is new stays known.
    expect(ledger.touchedBy('c')).toEqual(['c']);
    // The last one of the line goes, and nothing has to be remembered.
    ledger.disappear('c');
    expect(['b', 'c'].map((segment) => ledger.recordOf(segment))).toEqual([null, null]);
  });
});

describe('what must not become a donor', () => {
  it('is what was begun before a flush, and what was computed over a purged donor', () => {
    const ledger = open();
    store(ledger, 'a');
    ledger.purge('a');
    ledger.disappear('a');
    expect(store(ledger, 'b', ['a'])).toBe(false);
    ledger.flush();
    expect(store(ledger, 'c', [], 0)).toBe(false);
    expect(store(ledger, 'd', [], ledger.epoch)).toBe(true);
  });
});

it('counts hits over a lost connection', () => {
  const ledger = open();
  store(ledger, 'a');
  ledger.hit(['a', 'gone']);
  ledger.suspend();
  expect(ledger.touchedBy('a')).toEqual([]);
  ledger.appear({ segment: 'a', scope });
  expect(ledger.recordOf('a')).toMatchObject({ hits: 1, lastHitAt: 7, tenant: 'northgate' });
  expect(ledger.touchedBy('a')).toEqual(['a']);
});
