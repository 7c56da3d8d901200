// A computation in small steps, as a generator. It pauses where others may have their turn, and where it needs the
// numbers of a tensor it hands the tensor out: WebGPU can be read asynchronously only, the probe cannot wait, and
// the computation is the same for both.
import type { Tensor } from '@tensorflow/tfjs-core';

/** Yields null to pause, a tensor to be given its numbers. */
export type Work<Result> = Generator<Tensor | null, Result, Float32Array | undefined>;

/** The numbers of a tensor, which is given up for them. */
export function* numbersOf(tensor: Tensor): Work<Float32Array> {
  try {
    return (yield tensor)!;
  } finally {
    tensor.dispose();
  }
}

/** Goes on to the next pause, or to the end. */
export async function advance<Result>(
  work: Work<Result>,
): Promise<IteratorResult<Tensor | null, Result>> {
  let state = work.next();
  while (!state.done && state.value) {
    // What cannot be read fails where its numbers are needed, so that what is held there is given back.
    const read = await state.value.data<'float32'>().then(
      (numbers) => () => work.next(numbers),
      (error: unknown) => () => work.throw(error),
    );
    state = read();
  }
  return state;
}

/** Goes on to the end, without a turn for anybody else but while the backend is read. */
export async function finish<Result>(work: Work<Result>): Promise<Result> {
  for (;;) {
    const state = await advance(work);
    if (state.done) return state.value;
  }
}

/** The same at once, on backends that can be read at once. */
export function finishNow<Result>(work: Work<Result>): Result {
  let state = work.next();
  while (!state.done) {
    const tensor = state.value;
    state = tensor ? work.next(tensor.dataSync<'float32'>()) : work.next();
  }
  return state.value;
}
