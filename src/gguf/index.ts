// Reads GGUF files: header, metadata, dequantised tensors. Knows nothing of models or tokenizers.
export { fp32Bytes } from './fp32-bytes.ts';
export { openGguf } from './gguf-file.ts';
export type { GgufFile, GgufValue } from './gguf-file.ts';
export { halfToNumber } from './half-float.ts';
