// `kvshare completion bash|zsh|fish`: scripts for shells, written from the catalog. To be sourced:
// `source <(kvshare completion bash)`.
import { takesValue, type Flag } from '../flags.ts';
import { catalog, suites, type CommandInfo } from './catalog/index.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const wordsOf = ({ flags }: CommandInfo): string[] => Object.keys(flags).map((name) => `--${name}`);

/** Arguments that are names, such as `schema|show`. */
const choicesOf = (name: string, { takes }: CommandInfo): readonly string[] => {
  if (name === 'bench') return Object.keys(suites);
  return takes?.includes('|') ? takes.split('|') : [];
};

/** Every command by the words that lead to it; a suite of bench is one of its own. */
const commands: readonly (readonly [string, CommandInfo])[] = [
  ...Object.entries(catalog),
  ...Object.entries(suites).map(([name, info]) => [`bench ${name}`, info] as const),
];

/** Flags with a closed list of values, the same in every command that has them. */
const closedLists = new Map(
  commands.flatMap(([, { flags }]) =>
    Object.entries(flags).flatMap(([name, { names }]: [string, Flag]) =>
      names ? [[name, names] as const] : [],
    ),
  ),
);

function bash(): string {
  const cases = commands.map(([name, info]) => {
    const words = [...choicesOf(name, info), ...wordsOf(info)].join(' ');
    return `    '${name}') words='${words}' ;;`;
  });
  const values = [...closedLists].map(
    ([name, names]) => `    --${name}) words='${names.join(' ')}' ;;`,
  );
  return `_kvshare() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=
  case "$before" in
${values.join('\n')}
  esac
  if [ -z "$words" ]; then
    local command="\${COMP_WORDS[1]}"
    [ "$command" = bench ] && [ "$COMP_CWORD" -gt 2 ] && command="bench \${COMP_WORDS[2]}"
    case "$command" in
${cases.join('\n')}
    esac
    [ "$COMP_CWORD" -eq 1 ] && words='${['help', 'version', ...Object.keys(catalog)].join(' ')}'
    [ "$COMP_CWORD" -eq 2 ] && [ "$command" = help ] && words='${Object.keys(catalog).join(' ')}'
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _kvshare kvshare
`;
}

/** zsh runs bash's completions, and shows its own way of choosing among them. */
const zsh = (): string => `#compdef kvshare
autoload -Uz bashcompinit && bashcompinit
${bash()}`;

const quoted = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;

function fishFlag(condition: string, name: string, flag: Flag): string {
  const values = flag.names ? ` -x -a ${quoted(flag.names.join(' '))}` : '';
  const needs = takesValue(flag) && !flag.names ? ' -r' : '';
  return `complete -c kvshare -n ${quoted(condition)} -l ${name}${values}${needs} -d ${quoted(flag.does)}`;
}

function fish(): string {
  const names = Object.entries(catalog).map(
    ([name, { does }]) =>
      `complete -c kvshare -n __fish_use_subcommand -f -a ${name} -d ${quoted(does)}`,
  );
  const rest = commands.flatMap(([name, info]) => {
    const condition = name
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ');
    const choices = choicesOf(name, info).map(
      (choice) => `complete -c kvshare -n ${quoted(condition)} -f -a ${choice}`,
    );
    const flags = Object.entries(info.flags);
    return [...choices, ...flags.map(([flag, about]) => fishFlag(condition, flag, about))];
  });
  return `${[...names, ...rest].join('\n')}\n`;
}

export const completionOf: Record<Shell, () => string> = { bash, zsh, fish };
