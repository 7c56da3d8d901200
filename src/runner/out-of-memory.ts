// Whether something failed for want of memory: it may well work when others have finished.

/** V8's, TensorFlow's, WebGPU's and the C++ runtime's words for it. */
const WORDS =
  /out of memory|\boom\b|allocat|invalid (typed )?array (buffer )?length|resource[_ ]?exhausted/i;

export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error && WORDS.test(error.message);
