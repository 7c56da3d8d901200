// `kvshare completion SHELL`: prints what that shell sources.
import { KvShareError } from '../errors.ts';
import { parseFlags } from '../flags.ts';
import { completionOf, shells } from './completion.ts';

export function completionCommand(argv: readonly string[]): Promise<void> {
  const [name] = parseFlags(argv, {}, 1).rest;
  const shell = shells.find((known) => known === name);
  if (!shell) {
    throw new KvShareError('config_invalid', `kvshare completion needs ${shells.join(', ')}.`);
  }
  process.stdout.write(completionOf[shell]());
  return Promise.resolve();
}
