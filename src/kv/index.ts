// The KV cache as data: ranges, shape, fingerprint. Knows nothing of tensors, files or sockets.
export { complement, mergeRanges, positions } from './token-range.ts';
export type { TokenRange } from './token-range.ts';
export { bytesPerToken, kvFingerprint } from './kv-layout.ts';
export type { FingerprintParts, KvLayout } from './kv-layout.ts';
export { noCandidates } from './donor.ts';
export type { Candidates, Donor, EqualRun, PrefixMatch, SimilarPassage } from './donor.ts';
