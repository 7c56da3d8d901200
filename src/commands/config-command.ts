// `kvshare config schema|show`, and `--print-config` of the commands that serve.
import { readFileSync } from 'node:fs';
import { parseConfigFile } from '../config-file.ts';
import { unknownVariables } from '../config-flags.ts';
import { showSettings, type ShownSetting } from '../config-print.ts';
import { configSchema } from '../config-schema.ts';
import { environment, readSettings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { parseFlags, type Flags } from '../flags.ts';
import { tools, type Switches } from './catalog/index.ts';

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === null ? 'none' : JSON.stringify(value);

function table(shown: readonly ShownSetting[]): string {
  const width = (of: (setting: ShownSetting) => string): number =>
    Math.max(...shown.map((setting) => of(setting).length));
  const [names, values] = [width(({ name }) => name), width(({ value }) => textOf(value))];
  return shown
    .map(({ name, value, source }) =>
      [name.padEnd(names), textOf(value).padEnd(values), source].join('  '),
    )
    .join('\n');
}

/** Throws as the command itself would, when a setting is wrong. */
export function printConfig(argv: readonly string[], flags: Flags, { json }: Switches): void {
  const env = environment();
  const settings = readSettings(argv, env, flags);
  const { configPath } = settings;
  const text = configPath === null ? '' : readFileSync(configPath, 'utf8');
  const path = configPath ?? '';
  const file = 'config' in flags ? { file: parseConfigFile(text, path, env), path, text } : null;
  const shown = showSettings(settings, { argv, env, flags, file });
  const warnings = unknownVariables(env);
  const output = json ? JSON.stringify({ settings: shown, warnings }, null, 2) : table(shown);
  process.stdout.write(`${output}\n`);
}

export function configCommand(argv: readonly string[]): Promise<void> {
  const { flags } = tools.config;
  const { values, rest } = parseFlags(argv, flags, 1);
  if (rest[0] === 'schema') process.stdout.write(`${JSON.stringify(configSchema, null, 2)}\n`);
  else if (rest[0] === 'show') {
    const others = argv.filter((word) => word !== 'show');
    printConfig(others, flags, values);
  } else throw new KvShareError('config_invalid', 'kvshare config needs `schema` or `show`.');
  return Promise.resolve();
}
