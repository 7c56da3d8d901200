// What the tests use of compression(), which carries no types.
declare module 'compression' {
  import type { RequestHandler } from 'express';
  function compression(options?: { threshold?: number }): RequestHandler;
  export { compression as default };
}
