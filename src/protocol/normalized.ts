/** A vector divided by its length: Σ x² = 1. Throws an Error for one that has none. */
export function normalized(vector: ArrayLike<number>): Float32Array {
  let squares = 0;
  for (let i = 0; i < vector.length; i++) squares += vector[i] * vector[i];
  const length = Math.sqrt(squares);
  if (!(length > 0 && length < Infinity)) {
    throw new Error("The model's hidden states are not numbers: its file may be damaged");
  }
  return Float32Array.from(vector, (value) => value / length);
}
