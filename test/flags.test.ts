import { describe, expect, it } from '@jest/globals';
import { parseFlags, type Flags } from '../src/flags.ts';

const flags = {
  port: { value: 'PORT', fallback: '8080', does: 'where' },
  mode: { names: ['fast', 'slow'], does: 'how' },
  trace: { value: 'FILE', many: true, does: 'what' },
  color: { does: 'pretty' },
} as const satisfies Flags;

describe('parseFlags', () => {
  it('gives values, fallbacks, lists and switches', () => {
    const { values, rest } = parseFlags(
      ['a.json', '--mode=slow', '--trace', 'x', '--trace', 'y', '--no-color'],
      flags,
      1,
    );
    expect(values).toEqual({ port: '8080', mode: 'slow', trace: ['x', 'y'], color: false });
    expect(rest).toEqual(['a.json']);
    expect(parseFlags([], flags).values).toEqual({ port: '8080' });
  });

  it.each([
    [['--prot', '1'], /unknown flag --prot; known flags: --port, .* Did you mean "--port"\?/],
    [['--completely-else'], /unknown flag --completely-else; known[^?]*$/],
    [['-p'], /unknown flag -p/],
    [['--port'], /--port <value>' argument missing/],
    [['--color=yes'], /--color' does not take an argument/],
    [['left-over'], /unexpected argument "left-over"/],
  ])('refuses %j in one line', (argv, message) => {
    expect(() => parseFlags(argv, flags)).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringMatching(message) }),
    );
    expect(() => parseFlags(argv, flags)).not.toThrow(/\n|To specify/);
  });
});
