#!/usr/bin/env node
// `kvshare COMMAND`: the only file that knows all commands. Errors end as one line and an exit code.
import { KvShareError } from './errors.ts';

const help = `kvshare: KV cache reuse beyond prefixes

  kvshare serve    [--port 8080] [--config kvshare.yaml] [--model FILE] [--backend NAME] [--kv-bytes 2GiB]
                   [--scheduler reuse-aware|fifo]
                   runner and sidecar on this machine
  kvshare sidecar  --runner URL [--port 8080] [--config kvshare.yaml]
  kvshare runner   [--port 8080] [--model FILE] [--backend NAME] [--kv-bytes 2GiB] [--scheduler NAME]
                   serve and runner: [--precision fp32|bf16] [--step-tokens 400] [--shared-step-tokens 256]
                   [--kv-host-bytes 4GiB] [--kv-host-format fp32|bf16|int8]
                   [--kv-disk-bytes 50GiB] [--kv-disk-dir DIR] [--kv-scope-share 0.1] [--kv-admission always|second-sighting]
  kvshare embedder [--port 8080] [--backend NAME]
                   the sentence encoder MiniLM behind /v1/embeddings, in a process of its own
  kvshare native   builds the native TensorFlow backend into the cache
  kvshare llama-server  [--jobs N]  builds llama.cpp's server into the cache, for bench peers
  kvshare provision  downloads model and word vectors, builds or finds the best backend
  kvshare explain  request.json [--url http://127.0.0.1:8080] [--key KEY] [--json]
                   what would be reused for this request, and why not more
  kvshare replay   --trace FILE [--policy NAME[,minRun=48,…] …] [--out FILE]
                   recorded traffic under other settings
  kvshare demo     [--json FILE] [--backend NAME]
  kvshare drill    --poison [--json] [--backend NAME]
                   spoils stored KV on purpose: the guard has to trip, and the route to come back
  kvshare bench    ttft|hit-rate|quality|overhead|load|index|peers --out FILE …
  kvshare instant-runner  [--port 8080] [--pace-ms 4]  a runner without a model, for bench overhead

Backends: auto, tensorflow-gpu, tensorflow, webgpu, wasm, cpu. Every flag can be given as KVSHARE_NAME.
`;

type Command = (argv: readonly string[]) => Promise<void>;

// Commands load lazily, so that `kvshare sidecar` never loads an engine and `kvshare help` loads nothing.
const commands: Record<string, () => Promise<Command>> = {
  serve: async () => withSettings((await import('./commands/serve-command.ts')).serveCommand),
  sidecar: async () => withSettings((await import('./commands/sidecar-command.ts')).sidecarCommand),
  runner: async () => withSettings((await import('./commands/runner-command.ts')).runnerCommand),
  embedder: async () =>
    withSettings((await import('./commands/embedder-command.ts')).embedderCommand),
  native: async () => withSettings((await import('./commands/native-command.ts')).nativeCommand),
  provision: async () =>
    withSettings((await import('./commands/provision-command.ts')).provisionCommand),
  'llama-server': async () =>
    (await import('./commands/llama-server-command.ts')).llamaServerCommand,
  'instant-runner': async () =>
    (await import('./commands/instant-runner-command.ts')).instantRunnerCommand,
  explain: async () => (await import('./commands/explain-command.ts')).explainCommand,
  replay: async () => (await import('./commands/replay-command.ts')).replayCommand,
  demo: async () => (await import('./commands/demo-command.ts')).demoCommand,
  drill: async () => (await import('./commands/drill-command.ts')).drillCommand,
  bench: async () => (await import('./commands/bench-command.ts')).benchCommand,
};

type Settings = ReturnType<typeof import('./config.ts').readSettings>;

function withSettings(run: (settings: Settings) => Promise<void>): Command {
  return async (argv) => {
    const { quietTensorflow, readSettings } = await import('./config.ts');
    quietTensorflow();
    await run(readSettings(argv));
  };
}

async function main([name = 'help', ...argv]: readonly string[]): Promise<void> {
  const command = commands[name];
  if (!command || argv.includes('--help')) {
    process.stdout.write(help);
    if (!command && name !== 'help' && name !== '--help') process.exitCode = 2;
    return;
  }
  await (
    await command()
  )(argv);
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
