// HTTP in, HTTP out: OpenAI's surface before a runner. Knows text, tokens, donors and plans; no tensors.
export { createSidecar } from './create-sidecar.ts';
export type { Sidecar, SidecarOptions } from './create-sidecar.ts';
