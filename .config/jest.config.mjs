export default {
  rootDir: '..',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testEnvironment: '<rootDir>/.config/jest-environment.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } },
    ],
  },
  // Model tests use both cores through TensorFlow already; more workers only make them slower.
  maxWorkers: 2,
  // Not a measure of speed: on a busy machine the plain CPU backend takes seconds for a prompt.
  testTimeout: 120_000,
  reporters: ['default', '<rootDir>/.config/error-codes.mjs'],
};
