// The suites of `kvshare bench` and their flags.
import { policyNames } from '../../protocol/index.ts';
import { jsonFlag, type CommandInfo } from './command-info.ts';

const report = {
  out: { value: 'FILE', usual: 'none', does: 'where the report goes as JSON' },
  ...jsonFlag,
} as const;
const backend = { value: 'NAME', fallback: 'auto', does: 'forces a backend' } as const;
const model = { value: 'FILE', usual: 'the pinned SmolLM2-135M', does: 'a GGUF file' } as const;
const families = { value: 'A,B', usual: 'all', does: 'kinds of prompts' } as const;
const embedder = {
  names: ['word-llama', 'model-rows', 'off'],
  fallback: 'word-llama',
  does: 'what compares prompts',
} as const;

export const suites = {
  ttft: {
    does: 'time to the first token with reuse and without',
    flags: {
      tokens: { value: 'N,N', fallback: '400,800,1600', does: 'lengths of prompts' },
      families,
      repeat: { value: 'N', fallback: '5', does: 'runs of each' },
      backend,
      model,
      ...report,
    },
    examples: ['kvshare bench ttft --tokens 800 --repeat 3 --out ttft.json'],
  },
  'hit-rate': {
    does: 'tokens that a trace needs not compute, by policy',
    flags: {
      trace: { value: 'FILE', many: true, does: 'requests, one a line' },
      policies: { value: 'A,B', fallback: 'exact,edit-closure', does: 'policies to compare' },
      share: {
        names: ['private', 'group', 'public', 'all'],
        fallback: 'private',
        does: 'who shares with whom',
      },
      'no-fallback': { does: 'plan also where reuse does not pay' },
      embedder,
      ...report,
    },
    examples: ['kvshare bench hit-rate --trace clinic.jsonl'],
  },
  quality: {
    does: 'answers under each policy against full prefill',
    flags: {
      cases: { value: 'FILE', usual: 'the built-in ones', does: 'cases, one a line' },
      families,
      policies: { value: 'A,B', fallback: policyNames.join(','), does: 'policies to compare' },
      variant: {
        value: 'NAME[,KEY=VALUE,…]',
        usual: 'none',
        many: true,
        does: 'other settings besides',
      },
      limit: { value: 'N', usual: 'all', does: 'cases a family' },
      embedder,
      backend,
      model,
      ...report,
    },
    examples: ['kvshare bench quality --limit 4 --out quality.json'],
  },
  safety: {
    does: 'canaries, hostile pairs, diversity: does anything of a donor get through?',
    flags: {
      full: { does: 'sizes that are not given are those of a full run, else a tenth' },
      canaries: { value: 'N', usual: '100', does: 'donors with a secret' },
      pairs: { value: 'N', usual: '50', does: 'hostile pairs' },
      prompts: { value: 'N', usual: '10', does: 'prompts whose answers are drawn' },
      samples: { value: 'N', usual: '20', does: 'answers of each' },
      seed: { value: 'N', fallback: '1', does: 'of secrets and draws' },
      variant: {
        value: 'NAME[,KEY=VALUE,…]',
        usual: 'none',
        many: true,
        does: 'other settings besides',
      },
      backend,
      model,
      ...report,
    },
    notes: ['A run that is killed goes on where it stopped, with the same --out.'],
    examples: ['kvshare bench safety --out safety.json'],
  },
  overhead: {
    does: 'what the sidecar adds to a request, and mounting to what bypasses it',
    flags: { requests: { value: 'N', fallback: '300', does: 'requests' }, ...report },
    examples: ['kvshare bench overhead'],
  },
  load: {
    does: 'many clients at once, with reuse and without, by scheduler',
    flags: {
      trace: { value: 'FILE', usual: 'two clinics', does: 'requests, one a line' },
      requests: { value: 'N', fallback: '48', does: 'requests' },
      concurrency: { value: 'N,N', fallback: '1,4,8', does: 'clients at once' },
      backend,
      model,
      'kv-bytes': { value: 'SIZE', fallback: '2GiB', does: 'most KV in live tensors' },
      ...report,
    },
    examples: ['kvshare bench load --concurrency 8'],
  },
  index: {
    does: 'look-ups among many donors',
    flags: {
      donors: { value: 'N,N', fallback: '1000,10000,100000', does: 'stored prompts' },
      lookups: { value: 'N', fallback: '300', does: 'look-ups of each' },
      ...report,
    },
    examples: ['kvshare bench index --donors 10000'],
  },
  peers: {
    does: 'the same prompts for llama.cpp’s server and KVShare',
    flags: {
      'llama-server': { value: 'FILE', usual: 'the one in the cache', does: 'the server' },
      families,
      tokens: { value: 'N,N', fallback: '800', does: 'lengths of prompts' },
      repeat: { value: 'N', fallback: '3', does: 'runs of each' },
      'decode-tokens': { value: 'N', fallback: '64', does: 'tokens to write' },
      backend,
      ...report,
    },
    examples: ['kvshare llama-server', 'kvshare bench peers --out peers.json'],
  },
  adapters: {
    does: 'llama.cpp’s server behind the adapter, and alone, by turns',
    flags: {
      'llama-server': { value: 'FILE', usual: 'the one in the cache', does: 'the server' },
      trace: { value: 'FILE', usual: 'two clinics', does: 'requests, one a line' },
      requests: { value: 'N', fallback: '48', does: 'requests' },
      slots: { value: 'N', fallback: '4', does: 'of the server' },
      'context-per-slot': { value: 'N', fallback: '4096', does: 'tokens' },
      contestants: { value: 'A,B', fallback: 'adapter,alone,alone-apart', does: 'who is measured' },
      'max-mib': { value: 'N', fallback: '4096', does: 'most MiB of saved slots' },
      model,
      ...report,
    },
    examples: ['kvshare llama-server', 'kvshare bench adapters --out adapters.json'],
  },
} as const satisfies Record<string, CommandInfo>;

export type SuiteName = keyof typeof suites;
