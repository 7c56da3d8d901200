import { expect, it } from '@jest/globals';
import { clinicTrace } from '../../src/bench/clinic-trace.ts';

const textOf = ({ messages }: ReturnType<typeof clinicTrace>[number]): string =>
  messages.at(-1)!.content;

it('is the same in every run, whatever its length', () => {
  expect(clinicTrace(20)).toEqual(clinicTrace(50).slice(0, 20));
});

it('says passages again behind another beginning, within two tenants', () => {
  const trace = clinicTrace(100);
  expect(new Set(trace.map(({ tenant }) => tenant)).size).toBe(2);
  expect(new Set(trace.map(textOf)).size).toBe(100);
  const seen = new Set<string>();
  let again = 0;
  let passages = 0;
  for (const request of trace) {
    for (const passage of textOf(request).split('\n\n').slice(1, -1)) {
      const key = `${request.tenant}: ${passage}`;
      passages++;
      if (seen.has(key)) again++;
      seen.add(key);
    }
  }
  expect(again / passages).toBeGreaterThan(0.7);
});
