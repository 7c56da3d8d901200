// What help, completion and the README's test know of a command. What it does is in its own file.
import type { Flags } from '../../flags.ts';

export interface CommandInfo {
  /** One line. */
  readonly does: string;
  /** Arguments beside flags, as help shows them. */
  readonly takes?: string;
  readonly flags: Flags;
  /** Whether its flags are settings, which can come from the environment, too. */
  readonly hasSettings?: true;
  /** What a newcomer should know besides; lines. */
  readonly notes?: readonly string[];
  readonly examples: readonly string[];
}

export const jsonFlag = { json: { does: 'the same as JSON' } } as const satisfies Flags;

export const printFlag = {
  'print-config': { does: 'shows every setting and where it comes from, and ends' },
  json: { does: 'that as JSON' },
} as const satisfies Flags;

/** Switches of a command whose other flags are settings. */
export interface Switches {
  readonly json?: boolean;
  readonly 'print-config'?: boolean;
}
