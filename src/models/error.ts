/** A valid model file that cannot be run here. The message names the key or the tensor, and its value. */
export class ModelError extends Error {
  override readonly name = "ModelError";
}
