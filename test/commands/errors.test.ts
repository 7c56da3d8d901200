import { spawnSync } from 'node:child_process';
import { expect, it } from '@jest/globals';
import { errorStatus, errorTable, KvShareError, toErrorBody } from '../../src/errors.ts';

const main = new URL('../../src/main.ts', import.meta.url).pathname;
const errors = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', main, 'errors', ...args], { encoding: 'utf8' });

it('explains one code, all of them as JSON, and knows what was meant', () => {
  const { means, todo } = errorTable.queue_full;
  expect(errors('queue_full').stdout).toBe(`queue_full (429): ${means}\n  → ${todo}\n`);
  expect(JSON.parse(errors('--json').stdout)).toEqual(errorTable);
  expect(errors('queue_ful').stderr).toMatch(/no error code .* Did you mean "queue_full"/);
});

it('gives a client a status for every code, and one line for a person', () => {
  for (const [code, { status, means, todo }] of Object.entries(errorTable)) {
    expect(errorStatus[code as keyof typeof errorTable]).toBe(status || 500);
    expect(`${means}${todo}`).not.toMatch(/\n|\.$/);
  }
  const error = new KvShareError('config_invalid', 'x');
  expect([error.status, toErrorBody(error).error.type]).toEqual([500, 'server_error']);
});
