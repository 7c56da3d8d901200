// Commands that explain, try out, or set up.
import { availableParallelism } from 'node:os';
import { fileFlags, settingFlags } from '../../config-flags.ts';
import type { CommandInfo } from './command-info.ts';
import { jsonFlag } from './command-info.ts';

export const tools = {
  explain: {
    does: 'what would be reused for this request, and why not more',
    takes: 'REQUEST.json',
    flags: {
      url: { value: 'URL', fallback: 'http://127.0.0.1:8080', does: 'the sidecar to ask' },
      key: { value: 'KEY', usual: 'KVSHARE_KEY', does: 'API key: whose donors are looked at' },
      header: {
        value: 'NAME:VALUE',
        usual: 'none',
        many: true,
        does: 'sent along: what a route is matched by, or x-kvshare-…',
      },
      color: { usual: 'on a terminal', does: 'colours instead of marks; --no-color: never' },
      ...jsonFlag,
    },
    notes: ['The file holds the body of a completion. Nothing is computed and nothing kept.'],
    examples: [
      'kvshare explain request.json --key key-for-tests',
      'kvshare explain request.json --key key-for-tests --header x-app:ward',
    ],
  },
  warm: {
    does: 'has a running sidecar compute guidelines before the first user comes',
    takes: 'FILE…',
    flags: {
      url: { value: 'URL', fallback: 'http://127.0.0.1:8080', does: 'the sidecar' },
      key: { value: 'KEY', usual: 'KVSHARE_KEY', does: 'API key of the tenant that it is for' },
      as: { names: ['user', 'system'], fallback: 'user', does: 'the message that it stands in' },
      ...jsonFlag,
    },
    examples: ['kvshare warm guideline.txt --key key-for-tests'],
  },
  replay: {
    does: 'recorded traffic under other settings; nothing is run',
    flags: {
      trace: { value: 'FILE', does: 'what `record` in kvshare.yaml has written' },
      policy: {
        value: 'NAME[,KEY=VALUE,…]',
        usual: 'exact and edit-closure',
        many: true,
        does: 'a variant to plan by',
      },
      model: settingFlags.model,
      embedder: {
        names: ['word-llama', 'model-rows', 'off'],
        fallback: 'word-llama',
        does: 'what compares prompts, where a variant asks',
      },
      out: { value: 'FILE', usual: 'none', does: 'where the report goes as JSON' },
      ...jsonFlag,
    },
    notes: ['What compares texts needs a recording with plainTokens: true.'],
    examples: [
      'kvshare replay --trace requests.jsonl --policy exact --policy edit-closure,minRun=48,seam=32',
    ],
  },
  drill: {
    does: 'spoils stored KV on purpose: the guard has to trip, and the route to come back',
    flags: {
      poison: { does: 'every token’s V becomes another token’s' },
      backend: { value: 'NAME', fallback: 'auto', does: 'forces a backend' },
      ...jsonFlag,
    },
    notes: ['A runner and a sidecar of its own; nothing that serves is touched.'],
    examples: ['kvshare drill --poison'],
  },
  config: {
    does: 'schema: kvshare.yaml as JSON Schema, for editors; show: every setting and its origin',
    takes: 'schema|show',
    flags: { ...settingFlags, ...jsonFlag },
    hasSettings: true,
    notes: ['Secrets are masked. `kvshare serve --print-config` shows what serve would run with.'],
    examples: [
      'kvshare config schema > kvshare.schema.json',
      'kvshare config show --config examples/kvshare.yaml',
    ],
  },
  doctor: {
    does: 'whether this would start and serve here, and what to do where not',
    flags: { ...settingFlags, ...jsonFlag },
    hasSettings: true,
    notes: [
      'With the flags of serve it checks for serve, with --runner URL for a sidecar. Changes and downloads',
      'nothing. Exit code 1 when a check fails; warnings do not count.',
    ],
    examples: ['kvshare doctor --config examples/kvshare.yaml', 'kvshare doctor --json'],
  },
  errors: {
    does: 'what an error code means and what to do about it; without CODE, all of them',
    takes: 'CODE',
    flags: jsonFlag,
    examples: ['kvshare errors runner_unavailable'],
  },
  completion: {
    does: 'commands and flags for the Tab key of a shell',
    takes: 'bash|zsh|fish',
    flags: {},
    notes: ['For good: put the line below into ~/.bashrc or ~/.zshrc; fish: `… fish | source`.'],
    examples: ['source <(kvshare completion bash)'],
  },
  demo: {
    does: 'requests of four users against a served KVShare, as a table',
    flags: {
      json: { value: 'FILE', usual: 'none', does: 'where the report goes as JSON' },
      backend: { value: 'NAME', fallback: 'auto', does: 'forces a backend' },
      'kv-bytes': { value: 'SIZE', fallback: '1GiB', does: 'most KV in live tensors' },
    },
    examples: ['kvshare demo', 'kvshare demo --json demo.json'],
  },
  'llama-server': {
    does: 'builds llama.cpp’s server into the cache, for bench peers',
    flags: {
      jobs: { value: 'N', fallback: `${availableParallelism()}`, does: 'compilers at once' },
      'cache-dir': fileFlags['cache-dir'],
      ...jsonFlag,
    },
    notes: ['Needs python3 with pip, cmake, make and g++.'],
    examples: ['kvshare llama-server --jobs 2'],
  },
  'instant-runner': {
    does: 'a runner without a model, for bench overhead and for trying out a sidecar',
    flags: {
      port: { value: 'PORT', fallback: '8080', does: 'port to listen on; 0 picks a free one' },
      'pace-ms': { value: 'MS', fallback: '4', does: 'time between two tokens' },
    },
    examples: ['kvshare instant-runner --port 8081 --pace-ms 4'],
  },
} as const satisfies Record<string, CommandInfo>;
