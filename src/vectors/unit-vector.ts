// What may enter an index: everything behind this check can trust length, finiteness and norm. NaN in a graph
// gives meaningless neighbours for ever, so it is refused at the door.

/** A copy of length 1. Throws on another dimension, NaN, infinity and the zero vector. */
export function unitVector(vector: Float32Array, dimension: number): Float32Array<ArrayBuffer> {
  // Not instanceof: a vector may come from another realm.
  if (!ArrayBuffer.isView(vector) || vector.length !== dimension) {
    throw new RangeError(`A vector has ${dimension} numbers.`);
  }
  let squares = 0;
  for (const x of vector) squares += x * x;
  if (!Number.isFinite(squares)) throw new RangeError('A vector consists of finite numbers.');
  if (squares === 0) throw new RangeError('The zero vector has no direction.');
  const scale = 1 / Math.sqrt(squares);
  const unit = new Float32Array(dimension);
  for (let i = 0; i < dimension; i++) unit[i] = vector[i]! * scale;
  return unit;
}
