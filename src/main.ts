#!/usr/bin/env node
// `kvshare COMMAND`: the only file that knows all commands. Errors end as one line and an exit code.
import { catalog, commandNames, findCommand, type CommandName } from './commands/catalog/index.ts';
import { commandHelp, overview } from './commands/help.ts';
import { KvShareError } from './errors.ts';
import { didYouMean } from './nearest-name.ts';

type Command = (argv: readonly string[]) => Promise<void>;
type Settings = ReturnType<typeof import('./config.ts').readSettings>;
type Switches = import('./commands/catalog/index.ts').Switches;

// Commands load lazily, so that `kvshare sidecar` never loads an engine and `kvshare help` loads nothing.
const commands: Record<CommandName, () => Promise<Command>> = {
  serve: async () =>
    withSettings('serve', (await import('./commands/serve-command.ts')).serveCommand),
  sidecar: async () => {
    const { sidecarCommand } = await import('./commands/sidecar-command.ts');
    return withSettings('sidecar', (settings) => sidecarCommand(settings, loadAdapters));
  },
  runner: async () =>
    withSettings('runner', (await import('./commands/runner-command.ts')).runnerCommand),
  embedder: async () =>
    withSettings('embedder', (await import('./commands/embedder-command.ts')).embedderCommand),
  native: async () =>
    withSettings('native', (await import('./commands/native-command.ts')).nativeCommand),
  provision: async () =>
    withSettings('provision', (await import('./commands/provision-command.ts')).provisionCommand),
  'llama-server': async () =>
    (await import('./commands/llama-server-command.ts')).llamaServerCommand,
  'instant-runner': async () =>
    (await import('./commands/instant-runner-command.ts')).instantRunnerCommand,
  explain: async () => (await import('./commands/explain-command.ts')).explainCommand,
  warm: async () => (await import('./commands/warm-command.ts')).warmCommand,
  replay: async () => (await import('./commands/replay-command.ts')).replayCommand,
  config: async () => (await import('./commands/config-command.ts')).configCommand,
  doctor: async () => (await import('./commands/doctor-command.ts')).doctorCommand,
  errors: async () => (await import('./commands/errors-command.ts')).errorsCommand,
  completion: async () => (await import('./commands/completion-command.ts')).completionCommand,
  demo: async () => (await import('./commands/demo-command.ts')).demoCommand,
  drill: async () => (await import('./commands/drill-command.ts')).drillCommand,
  bench: async () => (await import('./commands/bench-command.ts')).benchCommand,
};

/** Not by name, so that everything else can be built and run without that folder. */
const ADAPTERS = ['..', 'adapters', 'registry.ts'].join('/');
const loadAdapters = () => import(ADAPTERS) as ReturnType<LoadAdapters>;

type LoadAdapters = Parameters<typeof import('./commands/sidecar-command.ts').sidecarCommand>[1];

function withSettings(
  name: CommandName,
  run: (settings: Settings, switches: Switches) => Promise<void>,
): Command {
  return async (argv) => {
    const { prepareTensorflow, readSettings, warnOfVariables } = await import('./config.ts');
    const { parseFlags } = await import('./flags.ts');
    const { flags } = catalog[name];
    const switches = parseFlags(argv, flags).values as Switches;
    if (switches['print-config']) {
      const { printConfig } = await import('./commands/config-command.ts');
      printConfig(argv, flags, switches);
      return;
    }
    prepareTensorflow();
    warnOfVariables();
    await run(readSettings(argv, undefined, flags), switches);
  };
}

/** `kvshare help bench ttft`, and `kvshare bench ttft --help`. */
function help(words: readonly string[]): void {
  const [name] = words;
  const found = findCommand(words);
  if (name !== undefined && !found) throw unknown(words.join(' '));
  process.stdout.write(found ? commandHelp(found.name, found.info) : overview());
}

const unknown = (name: string): KvShareError =>
  new KvShareError(
    'config_invalid',
    `there is no command "${name}"; \`kvshare help\` lists them.${didYouMean(name, commandNames)}`,
  );

async function main([name = 'help', ...argv]: readonly string[]): Promise<void> {
  if (name === 'help' || name === '--help') {
    help(argv);
    return;
  }
  if (name === 'version' || name === '--version') {
    const { version } = (await import('./package-info.ts')).packageInfo();
    process.stdout.write(`kvshare ${version}, Node ${process.versions.node}\n`);
    return;
  }
  if (!(name in commands)) throw unknown(name);
  if (argv.includes('--help')) {
    help([name, ...argv.filter((word) => !word.startsWith('-'))]);
    return;
  }
  const command = await commands[name as CommandName]();
  await command(argv);
}

main(process.argv.slice(2)).then(
  () => process.exit(),
  (error: unknown) => {
    const known = error instanceof KvShareError;
    // One line is enough: the child has printed it.
    if (known && error.code === 'child_failed') process.exit(1);
    const line = known ? `${error.code}: ${error.message}` : (error as Error).stack;
    process.stderr.write(`kvshare: ${line ?? 'failed'}\n`);
    process.exit(1);
  },
);
