import { expect, it } from '@jest/globals';
import { safety } from '../../../src/commands/bench/safety.ts';

it.each([
  ['--canaries', '-1'],
  ['--pairs', 'many'],
  ['--prompts', '1.5'],
  ['--samples', '1'],
  ['--seed', ''],
  ['--variant', 'edit-closure,seam=never'],
  ['--canary', '3'],
])('refuses %s %s before a model is loaded', async (flag, value) => {
  await expect(safety.run([`${flag}=${value}`])).rejects.toMatchObject({ code: 'config_invalid' });
});
