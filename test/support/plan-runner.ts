// What the planner has to know of a runner, as the tests have it: able to do everything unless told otherwise.
import type { RunnerInfo } from '../../src/protocol/index.ts';
import { replayRunner } from '../../src/replay/index.ts';

type PlanRunner = Pick<RunnerInfo, 'fingerprint' | 'speeds' | 'capabilities' | 'layout'>;

export const planRunner = (overrides: Partial<PlanRunner> = {}): PlanRunner => ({
  fingerprint: 'print',
  speeds: {
    prefillFixedMs: 50,
    prefillMsPerToken: 2,
    importFixedMs: 5,
    importMsPerToken: 0.05,
  },
  capabilities: {
    imports: 'runs',
    topUp: ['query-attention', 'v-deviation', 'dhd'],
    fullLayers: true,
    decodeRefresh: true,
    unequalTokens: true,
    driftCorrection: true,
    compare: true,
  },
  layout: replayRunner.layout,
  ...overrides,
});

/** Words by number: readable, and different wherever the tokens are. */
export const readWords = (tokens: Int32Array, start: number, end: number): string =>
  Array.from(tokens.subarray(start, end), (id) => word(id)).join(' ');

/** Letters only, so that an id is no number to the meaning guard. */
function word(id: number): string {
  return `v${`${id}`.replace(/\d/g, (digit) => 'qwrtzpsxfk'[Number(digit)]!)}`;
}
