// What every suite of `kvshare bench` has in common on the command line: its own flags, progress, and a report with
// its table.
import { KvShareError } from '../../errors.ts';
import { parseFlags, type Flags, type Values } from '../../flags.ts';
import { progressPrinter } from '../progress.ts';

/** A report, for the file, and the same as a table, for people. */
export interface Measured {
  readonly report: object;
  readonly table: string;
}

export interface Suite {
  /** Throws KvShareError `config_invalid` for wrong flags. */
  run(
    argv: readonly string[],
  ): Promise<Measured & { readonly out: string | undefined; readonly json: boolean }>;
}

const bad = (message: string): KvShareError => new KvShareError('config_invalid', message);

export function defineSuite<const T extends Flags>(
  flags: T,
  measure: (values: Values<T>) => Promise<Measured>,
): Suite {
  return {
    run: async (argv) => {
      const { values } = parseFlags(argv, flags);
      const { out, json = false } = values as { out?: string; json?: boolean };
      return { ...(await measure(values)), out, json };
    },
  };
}

export type OnProgress = (done: number, total: number, label: string) => void;

/** Shows the suite's steps while it runs. */
export async function withProgress<T>(work: (onProgress: OnProgress) => Promise<T>): Promise<T> {
  const progress = progressPrinter();
  try {
    return await work((done, total, label) =>
      progress.step({ phase: `[${done}/${total}] ${label}` }),
    );
  } finally {
    progress.end();
  }
}

export function oneOf<T extends string>(text: string, known: readonly T[], flag: string): T {
  const found = known.find((name) => name === text);
  if (found === undefined) throw bad(`${flag}: "${text}" is not one of ${known.join(', ')}.`);
  return found;
}

/** "a,b" → each of them known. */
export const listOf = <T extends string>(text: string, known: readonly T[], flag: string): T[] =>
  text.split(',').map((item) => oneOf(item.trim(), known, flag));

/** "400,800" → numbers from 1. */
export function countsOf(text: string, flag: string): number[] {
  const numbers = text.split(',').map(Number);
  if (!numbers.every((n) => Number.isInteger(n) && n > 0)) throw bad(`${flag}: "${text}".`);
  return numbers;
}

export const countOf = (text: string, flag: string): number => {
  const [count, ...more] = countsOf(text, flag);
  if (more.length > 0) throw bad(`${flag}: "${text}" is not one number.`);
  return count!;
};
