// What the tensors of a file take when they are numbers of four bytes, however few bits they have in the file.
import type { GgufFile } from './gguf-file.ts';

export const fp32Bytes = ({ tensors }: Pick<GgufFile, 'tensors'>): number =>
  [...tensors.values()].reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
