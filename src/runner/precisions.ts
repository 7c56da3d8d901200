// In which numbers the layers' matrices are multiplied; everything else, KV and logits included, is fp32.
export const precisions = ['fp32', 'bf16'] as const;
export type Precision = (typeof precisions)[number];
