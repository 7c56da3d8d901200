// What the pinned model takes of memory, for tests that do not have it; test/gguf/real-file.model.test.ts reads it from the file.
import type { ModelMemory } from '../../src/runner/memory-plan.ts';

export const DEFAULT_MODEL: ModelMemory = { weights: 538_060_032, longest: 377_487_360 };
