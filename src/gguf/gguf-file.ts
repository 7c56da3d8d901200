// CONTRACT STUB: helper A replaces this file.
export type GgufValue = number | bigint | boolean | string | GgufValue[];

export interface GgufTensorInfo {
  readonly name: string;
  /** GGUF order: fastest-varying first ([columns, rows]). */
  readonly shape: readonly number[];
  readonly type: string;
  readonly numElements: number;
}

export interface GgufFile {
  readonly path: string;
  /** Keys such as `llama.block_count`, `tokenizer.ggml.tokens`. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>;
  /** The tensor as fp32, row-major [rows, columns]. Throws KvShareError `model_invalid`. */
  readTensor(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

export function openGguf(_path: string): Promise<GgufFile> {
  throw new Error('stub');
}
