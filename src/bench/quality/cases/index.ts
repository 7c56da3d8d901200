// The cases that `bench quality` measures when it is given none: natural texts, the same in every run.
import type { QualityCase } from '../quality-case.ts';
import { compositions } from './compositions.ts';
import { edits } from './edits.ts';

export const builtInCases: readonly QualityCase[] = [...compositions, ...edits];
