// The admin port: an operator's API and dashboard. Knows HTTP and what a sidecar lets an operator do; no tensors.
export { createAdmin } from './create-admin.ts';
