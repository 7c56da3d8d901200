// Every command of `kvshare`, as data.
import { suites } from './bench.ts';
import type { CommandInfo } from './command-info.ts';
import { serving } from './serving.ts';
import { tools } from './tools.ts';

export { suites } from './bench.ts';
export type { SuiteName } from './bench.ts';
export type { CommandInfo, Switches } from './command-info.ts';
export { tools } from './tools.ts';

const bench = {
  does: `measures: ${Object.keys(suites).join(', ')}`,
  takes: 'SUITE',
  flags: {},
  notes: ['`kvshare help bench SUITE` lists the flags of one.'],
  examples: ['kvshare bench ttft --out ttft.json'],
} as const satisfies CommandInfo;

export const catalog = { ...serving, ...tools, bench } as const;

export type CommandName = keyof typeof catalog;

export const commandNames = Object.keys(catalog) as CommandName[];

/** A command, or a suite of `bench`, by the words of a command line; null = no such one. */
export function findCommand(
  words: readonly string[],
): { readonly name: string; readonly info: CommandInfo } | null {
  const [name = '', suite] = words;
  const isSuite = name === 'bench' && suite !== undefined;
  const table: Record<string, CommandInfo> = isSuite ? suites : catalog;
  const info = table[isSuite ? suite : name];
  return info ? { name: isSuite ? `${name} ${suite}` : name, info } : null;
}
