// The commands that serve, and those that get ready for it: their flags are settings.
import {
  backendFlags,
  computeFlags,
  configFlags,
  fileFlags,
  keepFlags,
  linkFlags,
  listenFlags,
} from '../../config-flags.ts';
import { jsonFlag, printFlag, type CommandInfo } from './command-info.ts';

const { 'cache-dir': cacheDir, model } = fileFlags;

export const serving = {
  serve: {
    does: 'runner and sidecar on this machine',
    flags: {
      ...{ ...listenFlags, ...configFlags, ...fileFlags, ...computeFlags, ...keepFlags },
      ...printFlag,
    },
    hasSettings: true,
    notes: [
      'Starts a runner process and keeps it alive. Any OpenAI client can use http://HOST:PORT/v1.',
      'The first start downloads the model and builds the native backend; `kvshare provision` does it before.',
    ],
    examples: ['kvshare serve --config examples/kvshare.yaml'],
  },
  sidecar: {
    does: 'the sidecar alone, in front of a runner elsewhere',
    flags: {
      ...linkFlags,
      ...listenFlags,
      ...configFlags,
      ...fileFlags,
      ...printFlag,
      ...jsonFlag,
    },
    hasSettings: true,
    notes: ['--model must be the file that the runner has: the sidecar needs its tokenizer.'],
    examples: ['kvshare sidecar --runner http://127.0.0.1:8081 --config kvshare.yaml'],
  },
  runner: {
    does: 'the model behind the runner port; sees token ids, never text',
    flags: {
      ...listenFlags,
      ...fileFlags,
      ...computeFlags,
      ...keepFlags,
      ...printFlag,
      ...jsonFlag,
    },
    hasSettings: true,
    notes: ['It trusts its network: only sidecars should reach it.'],
    examples: ['kvshare runner --port 8081 --kv-bytes 4GiB'],
  },
  embedder: {
    does: 'the sentence encoder MiniLM behind /v1/embeddings, in a process of its own',
    flags: { ...listenFlags, ...backendFlags, 'cache-dir': cacheDir },
    hasSettings: true,
    notes: ['For `embedder: { kind: openai, url: … }` in kvshare.yaml.'],
    examples: ['kvshare embedder --port 8082'],
  },
  native: {
    does: 'gets a backend into the cache that does not come with npm install',
    flags: { backend: backendFlags.backend, 'cache-dir': cacheDir, ...jsonFlag },
    hasSettings: true,
    notes: [
      'auto and tensorflow: builds TensorFlow’s; needs npm, python3 with pip, make and g++, downloads 274 MB.',
      'tensorflow-gpu: the same with CUDA, 3.3 GB; Linux x64 with NVIDIA’s driver.',
      'webgpu: fetches Dawn and what TensorFlow.js needs of it, with npm alone, 200 MB.',
    ],
    examples: ['kvshare native', 'kvshare native --backend tensorflow-gpu'],
  },
  provision: {
    does: 'downloads model and word vectors, builds or finds the best backend',
    flags: { ...configFlags, ...backendFlags, ...{ 'cache-dir': cacheDir, model }, ...jsonFlag },
    hasSettings: true,
    notes: ['Everything after it needs no network.'],
    examples: ['kvshare provision', 'kvshare provision --cache-dir /var/lib/kvshare --json'],
  },
} as const satisfies Record<string, CommandInfo>;
