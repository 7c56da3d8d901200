// `kvshare errors [CODE]`: the table of error codes on a terminal.
import { errorTable, KvShareError, type ErrorRow } from '../errors.ts';
import { parseFlags } from '../flags.ts';
import { didYouMean } from '../nearest-name.ts';
import { tools } from './catalog/index.ts';

const codes = Object.keys(errorTable);

const line = ([code, { status, means, todo }]: [string, ErrorRow]): string =>
  `${code} (${status === 0 ? 'exit 1' : status}): ${means}\n  → ${todo}`;

export function errorsCommand(argv: readonly string[]): Promise<void> {
  const { values, rest } = parseFlags(argv, tools.errors.flags, 1);
  const [code] = rest;
  const rows = Object.entries(errorTable).filter(([name]) => code === undefined || name === code);
  if (rows.length === 0) {
    const hint = didYouMean(code ?? '', codes);
    throw new KvShareError('config_invalid', `there is no error code "${code ?? ''}".${hint}`);
  }
  const json = JSON.stringify(Object.fromEntries(rows), null, 2);
  process.stdout.write(`${values.json ? json : rows.map(line).join('\n')}\n`);
  return Promise.resolve();
}
