// Orders in which a runner can serve waiting requests: by what is left to compute after reuse, or as they came.
export const schedulers = ['reuse-aware', 'fifo'] as const;
export type Scheduler = (typeof schedulers)[number];
