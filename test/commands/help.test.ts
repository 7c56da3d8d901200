// Help as a newcomer gets it, and every command line that the documents show, parsed by the commands' own tables.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import {
  catalog,
  findCommand,
  suites,
  type CommandInfo,
} from '../../src/commands/catalog/index.ts';
import { commandHelp, overview } from '../../src/commands/help.ts';
import { settingFlags } from '../../src/config-flags.ts';
import { parseGiven, takesValue } from '../../src/flags.ts';

const root = new URL('../../', import.meta.url);
const main = new URL('src/main.ts', root).pathname;
const kvshare = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', main, ...args], { encoding: 'utf8' });

const all: [string, CommandInfo][] = [
  ...Object.entries(catalog),
  ...Object.entries(suites).map(([name, info]): [string, CommandInfo] => [`bench ${name}`, info]),
];

/** A command line of a document → its words; what is optional or left open there is not part of it. */
const wordsOf = (line: string): string[] =>
  line
    .replace(/\[[^\]]*\]/g, '')
    .replace(/[#>;].*/, '')
    .split(/\s+/)
    // "…" behind a flag stands for its value, elsewhere for more of the same.
    .filter((word, i, words) => word !== '' && (word !== '…' || words[i - 1]?.startsWith('--')));

/** Whether a command would accept these words. Throws when not. */
function accept(words: readonly string[]): void {
  const found = findCommand(words);
  if (!found) throw new Error(`no command: ${words.join(' ')}`);
  const { name, info } = found;
  parseGiven(words.slice(name.split(' ').length), info.flags, info.takes ? 1 : 0);
}

describe('help', () => {
  it.each(['version', '--version'])('says its version: %s', (word) => {
    const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
      version: string;
    };
    expect(kvshare(word).stdout).toBe(`kvshare ${version}, Node ${process.versions.node}\n`);
  });

  it('names every command, and of each every flag, what counts without it, and an example that parses', () => {
    for (const [name, { does }] of Object.entries(catalog)) {
      expect(overview()).toContain(`kvshare ${name}`);
      expect(overview()).toContain(does);
    }
    for (const [name, info] of all) {
      const text = commandHelp(name, info);
      for (const [flag, { does, fallback, usual }] of Object.entries(info.flags)) {
        expect(text).toContain(`--${flag}`);
        expect(text).toContain(does);
        if (fallback ?? usual) expect(text).toContain(`[${fallback ?? usual}]`);
      }
      expect(info.examples.length).toBeGreaterThan(0);
      for (const example of info.examples) {
        const [, line] = /kvshare ([^()]*)/.exec(example)!;
        accept(wordsOf(line!));
      }
    }
  });

  it('offers every setting in some command', () => {
    const offered = new Set(all.flatMap(([, { flags }]) => Object.keys(flags)));
    for (const name of Object.keys(settingFlags)) expect(offered).toContain(name);
  });

  it('says what a flag is: a value with a name for it, or a switch', () => {
    for (const [, { flags }] of all) {
      for (const flag of Object.values(flags)) {
        if (flag.fallback !== undefined) expect(takesValue(flag)).toBe(true);
        if (flag.names && flag.fallback) expect(flag.names).toContain(flag.fallback);
      }
    }
  });

  it('answers `help`, `help COMMAND` and `--help`, and knows what was meant', () => {
    expect(kvshare().stdout).toBe(overview());
    const { info } = findCommand(['bench', 'ttft'])!;
    expect(kvshare('bench', 'ttft', '--tokens', '3', '--help').stdout).toBe(
      commandHelp('bench ttft', info),
    );
    const wrong = kvshare('help', 'serv');
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toMatch(/^kvshare: config_invalid: .*Did you mean "serve"\?\n$/);
  });
});

describe('documents', () => {
  it.each(['README.md', 'examples/README.md', 'examples/kvshare.yaml'])(
    'show commands and flags that exist: %s',
    (path) => {
      const text = readFileSync(new URL(path, root), 'utf8');
      const lines = [
        ...text.matchAll(/^(?:# )?(?:npx )?kvshare ([a-z].*)$/gm),
        ...text.matchAll(/`(?:npx )?kvshare ([a-z][^`]*)`/g),
        ...[...text.matchAll(/npm run (bench) -- ([^`\n]*)/g)].map(
          ([, bench, rest]) => ['', `${bench!} ${rest!}`] as const,
        ),
      ].map(([, line]) => line);
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) if (!line.startsWith('help')) accept(wordsOf(line));
    },
  );
});
