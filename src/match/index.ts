// Which stored prompts share text with this one, within a scope. Knows nothing of plans or HTTP.
export { DonorIndex } from './donor-index.ts';
export type { DonorQuery } from './donor-index.ts';
export { anonymousScope, tenantScope } from './scope.ts';
export { SHORTEST_RUN } from './token-hash.ts';
