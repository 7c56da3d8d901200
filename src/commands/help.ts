// `kvshare help` and `kvshare help COMMAND`, from the catalog.
import { takesValue, type Flag } from '../flags.ts';
import { catalog, type CommandInfo } from './catalog/index.ts';

const usualOf = ({ fallback, usual }: Flag): string => {
  const value = fallback ?? usual;
  return value === undefined ? '' : ` [${value}]`;
};

/** `--backend NAME`, with the names behind what it does. */
const nameOf = (name: string, flag: Flag): string => {
  if (!takesValue(flag)) return `--${name}`;
  return `--${name} ${flag.value ?? 'NAME'}${flag.many ? ' …' : ''}`;
};

function flagLines({ flags }: CommandInfo): string[] {
  const entries = Object.entries(flags);
  const width = Math.max(0, ...entries.map(([name, flag]) => nameOf(name, flag).length));
  return entries.map(([name, flag]) => {
    const names = flag.names ? `: ${flag.names.join(', ')}` : '';
    return `  ${nameOf(name, flag).padEnd(width)}  ${flag.does}${names}${usualOf(flag)}`;
  });
}

/** One screen on one command: what it does, its flags with what counts otherwise, an example to copy. */
export function commandHelp(name: string, info: CommandInfo): string {
  const hasFlags = Object.keys(info.flags).length > 0;
  const usage = [
    'kvshare',
    name,
    ...(info.takes ? [info.takes] : []),
    ...(hasFlags ? ['[flags]'] : []),
  ];
  const parts = [
    [`kvshare ${name}: ${info.does}`],
    [`  ${usage.join(' ')}`],
    ...(info.notes ? [info.notes] : []),
    ...(hasFlags ? [flagLines(info)] : []),
    ...(info.hasSettings
      ? [['Each can be given as KVSHARE_NAME (--log-level is KVSHARE_LOG_LEVEL); flags win.']]
      : []),
    ['For example:', ...info.examples.map((example) => `  ${example}`)],
  ];
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

/** All commands, one line each. */
export function overview(): string {
  const entries = Object.entries(catalog);
  const width = Math.max(...entries.map(([name]) => name.length));
  const lines = entries.map(([name, { does }]) => `  kvshare ${name.padEnd(width)}  ${does}`);
  return [
    'kvshare: KV cache reuse beyond prefixes',
    '',
    ...lines,
    `  kvshare ${'help COMMAND'.padEnd(width)}  flags, what counts without them, an example`,
    `  kvshare ${'version'.padEnd(width)}  of kvshare and of Node`,
    '',
  ].join('\n');
}
