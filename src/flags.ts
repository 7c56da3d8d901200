// Command-line flags as data: one table a command feeds parsing, help, completion and the README's test.
import { parseArgs } from 'node:util';
import { KvShareError } from './errors.ts';
import { didYouMean } from './nearest-name.ts';

export interface Flag {
  /** One line for help. */
  readonly does: string;
  /** What stands for the value in help: PORT, FILE, DIR …; without one the flag is a switch. */
  readonly value?: string;
  /** The values that there are. */
  readonly names?: readonly string[];
  /** What counts when it is not given. */
  readonly fallback?: string;
  /** The same in words, where it is computed. */
  readonly usual?: string;
  /** It can be given several times. */
  readonly many?: true;
}

export type Flags = Readonly<Record<string, Flag>>;

type Takes<F extends Flag> = F extends { readonly value: string }
  ? true
  : F extends { readonly names: readonly string[] }
    ? true
    : false;
type Single<F extends Flag> =
  Takes<F> extends true
    ? F extends { readonly many: true }
      ? readonly string[]
      : string
    : boolean;
type Always<F extends Flag> = F extends { readonly fallback: string } ? true : false;

/** What was given, with fallbacks; a switch that is not given is undefined, `--no-NAME` makes it false. */
export type Values<T extends Flags> = {
  readonly [K in keyof T as Always<T[K]> extends true ? K : never]: Single<T[K]>;
} & {
  readonly [K in keyof T as Always<T[K]> extends true ? never : K]?: Single<T[K]>;
};

export type Given = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export const takesValue = ({ value, names }: Flag): boolean =>
  value !== undefined || names !== undefined;

const bad = (message: string): KvShareError => new KvShareError('config_invalid', message);

/** Node's words for a wrong flag are about its own API; these name what there is. */
function explain(error: unknown, argv: readonly string[], flags: Flags): KvShareError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const unknown = /'(-[^' ]*)/.exec(message)?.[1] ?? argv.join(' ');
    const known = Object.keys(flags);
    const list = known.map((name) => `--${name}`).join(', ') || 'none';
    const hint = didYouMean(unknown.replace(/^-+/, ''), known, '--');
    return bad(`unknown flag ${unknown}; known flags: ${list}.${hint}`);
  }
  return bad(message.split('\n')[0]!.replace(/\.? ?To specify .*$/, '.'));
}

/** Exactly what was given; `most` arguments may stand beside the flags. Throws KvShareError `config_invalid`. */
export function parseGiven(
  argv: readonly string[],
  flags: Flags,
  most = 0,
): { readonly given: Given; readonly rest: readonly string[] } {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => {
      const type = takesValue(flag) ? ('string' as const) : ('boolean' as const);
      return [name, { type, multiple: flag.many ?? false }];
    }),
  );
  let parsed;
  try {
    const how = { strict: true, allowPositionals: true, allowNegative: true } as const;
    parsed = parseArgs({ args: [...argv], options, ...how });
  } catch (error) {
    throw explain(error, argv, flags);
  }
  const { values, positionals: rest } = parsed;
  if (rest.length > most) throw bad(`unexpected argument "${rest[most]!}".`);
  return { given: values as Given, rest };
}

/** The same with fallbacks. */
export function parseFlags<const T extends Flags>(
  argv: readonly string[],
  flags: T,
  most = 0,
): { readonly values: Values<T>; readonly rest: readonly string[] } {
  const { given, rest } = parseGiven(argv, flags, most);
  const fallbacks = Object.entries(flags).flatMap(([name, { fallback }]) =>
    fallback === undefined ? [] : [[name, fallback]],
  );
  return { values: { ...Object.fromEntries(fallbacks), ...given } as Values<T>, rest };
}
