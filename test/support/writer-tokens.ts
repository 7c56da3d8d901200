/** What store-writer.ts stores under a seed; the first token is the seed itself. */
export const writerTokens = (seed: number): number[] =>
  Array.from({ length: 20 + (seed % 50) }, (_, i) => (i === 0 ? seed : (seed * 31 + i * 7) % 997));
