import { describe, expect, it } from '@jest/globals';
import { QualityGate } from '../../src/routes/index.ts';

const budget = { top1: 0.9, kl: 0.03, samples: 10 };

describe('QualityGate', () => {
  it('opens with enough good samples, route by route, and closes again', () => {
    const gate = new QualityGate();
    expect(gate.stateOf('a', budget)).toEqual({ route: 'a', samples: 0, top1: null, open: false });
    for (let i = 0; i < 9; i++) gate.record('a', true, budget);
    expect(gate.stateOf('a', budget).open).toBe(false);
    gate.record('a', false, budget);
    expect(gate.stateOf('a', budget)).toMatchObject({ samples: 10, top1: 0.9, open: true });
    expect(gate.stateOf('b', budget).open).toBe(false);
    gate.record('a', false, budget);
    expect(gate.stateOf('a', budget).open).toBe(false);
  });

  it('remembers the newest samples, and nothing once the settings change', () => {
    const gate = new QualityGate();
    for (let i = 0; i < 200; i++) gate.record('a', false, budget);
    for (let i = 0; i < 195; i++) gate.record('a', true, budget);
    expect(gate.stateOf('a', budget)).toMatchObject({ samples: 200, open: true });
    gate.forget();
    expect(gate.stateOf('a', budget).samples).toBe(0);
  });
});
