// Completion as shells do it. bash is on every machine that runs our CI; zsh and fish are asked where they are.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { catalog, suites } from '../../src/commands/catalog/index.ts';
import { completionOf, shells } from '../../src/commands/completion.ts';
import { precisions } from '../../src/runner/precisions.ts';

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0;

function run(shell: string, script: string): string {
  const { stdout, stderr, status } = spawnSync(shell, ['-c', script], { encoding: 'utf8' });
  expect([stderr, status]).toEqual(['', 0]);
  return stdout.trim();
}

/** What bash offers for the last word. */
function offered(...words: string[]): string[] {
  const line = ['kvshare', ...words].map((word) => `'${word}'`).join(' ');
  const script = `${completionOf.bash()}
COMP_WORDS=(${line}) COMP_CWORD=${words.length} _kvshare
COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _kvshare; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return run('bash', script).split('\n');
}

describe('bash', () => {
  it('offers every command, and after it every flag', () => {
    expect(offered('').sort()).toEqual(['help', 'version', ...Object.keys(catalog)].sort());
    expect(offered('help', '').sort()).toEqual(Object.keys(catalog).sort());
    for (const [name, { flags }] of Object.entries(catalog)) {
      const words = Object.keys(flags).map((flag) => `--${flag}`);
      if (words.length > 0) expect(offered(name, '--')).toEqual(words);
    }
    expect(offered('bench', '')).toEqual(Object.keys(suites));
    expect(offered('bench', 'ttft', '--to')).toEqual(['--tokens']);
  });

  it('offers the values that a flag can have, and names that a command takes', () => {
    expect(offered('runner', '--precision', '')).toEqual([...precisions]);
    expect(offered('serve', '--scheduler', 'f')).toEqual(['fifo']);
    expect(offered('config', 's')).toEqual(['schema', 'show']);
    expect(offered('completion', '')).toEqual([...shells]);
  });
});

const onlyWith = (shell: string) => (has(shell) ? it : it.skip);

describe('other shells', () => {
  onlyWith('zsh')('zsh reads the script', () => {
    const script = `autoload -Uz compinit && compinit -D -u\n${completionOf.zsh()}\nprint -r -- $_comps[kvshare]`;
    expect(run('zsh', script)).toContain('_kvshare');
  });

  onlyWith('fish')('fish offers commands, flags and values', () => {
    const ask = (line: string): string[] =>
      run('fish', `${completionOf.fish()}\ncomplete -C '${line}'`)
        .split('\n')
        .map((offer) => offer.split('\t')[0]!);
    expect(ask('kvshare ').sort()).toEqual(Object.keys(catalog).sort());
    expect(ask('kvshare bench ttft --to')).toEqual(['--tokens']);
    expect(ask('kvshare runner --precision ')).toEqual([...precisions].sort());
  });
});
