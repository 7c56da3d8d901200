// Express 4 beside Express 5: what the tests use of it has the same types.
declare module 'express4' {
  // What the package exports. eslint-disable-next-line no-restricted-syntax
  export { default } from 'express';
}
