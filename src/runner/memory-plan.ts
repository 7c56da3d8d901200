// How much KV fits into the memory there is, beside what the runner takes anyway: the model's weights and what a step works
// with. A kernel that is short of memory ends the process, minutes after a start that looked well: so this is asked before.
import { fp32Bytes, type GgufFile } from '../gguf/index.ts';
import { bytesPerToken } from '../kv/index.ts';
import type { BackendName } from './backend/index.ts';
import { layoutOf, readModelConfig } from './model/model-config.ts';
import type { Precision } from './precisions.ts';

export interface ModelMemory {
  /** Weights in fp32. */
  readonly weights: number;
  /** KV of the longest sequence that the model can read: a step copies it. */
  readonly longest: number;
}

export interface MemoryAsked {
  readonly model: ModelMemory;
  readonly backend: BackendName;
  /** Weights and live KV are in the memory of a GPU. */
  readonly hasOwnMemory: boolean;
  readonly precision: Precision;
  /** Most bytes of KV in live tensors; null = what fits. */
  readonly kvBytes: number | null;
  /** Most bytes of KV in host memory besides. */
  readonly hostBytes: number;
  /** Its allocators give back what they do not use. */
  readonly isFrugal: boolean;
  /** What others take of the same memory. */
  readonly besideBytes: number;
  readonly limitBytes: number;
}

export interface MemoryPlan {
  readonly kvBytes: number;
  readonly fits: boolean;
  /** What takes how much, of what. */
  readonly says: string;
  /** What would fit, where it does not. */
  readonly todo: string;
}

const MIB = 2 ** 20;

/**
 * Beside weights and KV, with the default model: TensorFlow's library, its graphs, Node, what a step of eight sequences
 * computes. Measured: 390 MiB under load with 768 MiB of KV, 600 in its worst moment, and 315 of files of which some are needed.
 */
const NATIVE_BYTES = 640 * MIB;
/** Where allocators keep what is given back: 800 MiB with 256 of KV, 920 with 1,024. */
const KEPT_BY_ALLOCATORS = 320 * MIB;
/** Neither library nor graphs. */
const PORTABLE_BYTES = 192 * MIB;

/** Of the default model a prompt of 700 tokens, computed and kept: with less hardly anything would be found again. */
const SMALLEST_KV = 64 * MIB;

/** Nobody says how much memory a GPU has: this much there is beside a small model and 2 GiB of temporaries on most. */
const GPU_KV = 1024 * MIB;

/** The layers' matrices in half precision are kept beside those in fp32, which some requests are computed with. */
const weightFactor: Record<Precision, number> = { fp32: 1, bf16: 1.5 };

const mib = (bytes: number): string => `${Math.floor(bytes / MIB)}MiB`;

/** Throws KvShareError `model_invalid`. */
export function modelMemory(file: GgufFile): ModelMemory {
  const config = readModelConfig(file);
  const longest = config.contextLength * bytesPerToken(layoutOf(config));
  return { weights: fp32Bytes(file), longest };
}

/** Most KV in so many bytes, with a copy of the longest sequence beside it, which is no longer than all of it. */
const besideCopy = (bytes: number, longest: number): number =>
  bytes > 2 * longest ? bytes - longest : Math.floor(bytes / 2);

function workingBytes({ backend, isFrugal }: MemoryAsked): number {
  if (!backend.startsWith('tensorflow')) return PORTABLE_BYTES;
  return isFrugal ? NATIVE_BYTES : NATIVE_BYTES + KEPT_BY_ALLOCATORS;
}

export function planMemory(asked: MemoryAsked): MemoryPlan {
  const { model, hostBytes, besideBytes, limitBytes, hasOwnMemory } = asked;
  const working = workingBytes(asked);
  const weights = hasOwnMemory ? 0 : Math.ceil(weightFactor[asked.precision] * model.weights);
  const left = limitBytes - weights - working - besideBytes;
  const most = besideCopy(left - hostBytes, model.longest);
  const usual = hasOwnMemory ? GPU_KV : Math.min(Math.floor(limitBytes / 4), most);
  const kvBytes = asked.kvBytes ?? Math.max(usual, SMALLEST_KV);
  const copy = Math.min(kvBytes, model.longest);
  const parts = [
    `${mib(kvBytes)} KV`,
    ...(hostBytes > 0 ? [`${mib(hostBytes)} KV in host memory`] : []),
    ...(hasOwnMemory ? [] : [`${mib(copy)} for a copy of the longest sequence`]),
    ...(hasOwnMemory ? [] : [`${mib(weights)} weights`]),
    `${mib(working)} to work with`,
    ...(besideBytes > 0 ? [`${mib(besideBytes)} for the sidecar`] : []),
  ];
  return {
    kvBytes,
    fits: hasOwnMemory ? hostBytes <= left : kvBytes <= most,
    says: `${parts.join(', ')} of ${mib(limitBytes)}`,
    todo: adviceOf(asked, hasOwnMemory ? left - hostBytes : most),
  };
}

function adviceOf({ kvBytes, hostBytes, hasOwnMemory }: MemoryAsked, most: number): string {
  const more = 'give it more memory';
  if (hostBytes > 0) return `lower --kv-host-bytes, or ${more}`;
  if (hasOwnMemory || kvBytes === null || most < SMALLEST_KV) return more;
  return `--kv-bytes ${mib(most)} fits, or ${more}`;
}
