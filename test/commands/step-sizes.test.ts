import { expect, it } from '@jest/globals';
import { stepSizes } from '../../src/commands/step-sizes.ts';

it('takes longer steps on a GPU, where short ones take as long, unless it is told', () => {
  const unset = { stepTokens: null, sharedStepTokens: null };
  const cpu = {};
  const gpu = { likesLongSteps: true };
  expect(stepSizes(unset, cpu)).toEqual({ chunkTokens: 400, sharedChunkTokens: 256 });
  expect(stepSizes(unset, gpu)).toEqual({ chunkTokens: 1024, sharedChunkTokens: 1024 });
  expect(stepSizes({ stepTokens: 100, sharedStepTokens: null }, gpu)).toEqual({
    chunkTokens: 100,
    sharedChunkTokens: 1024,
  });
});
