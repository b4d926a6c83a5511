/** A folder of safetensors that cannot be used; the message names the file and what is wrong with it. */
export class CheckpointError extends Error {
  override name = "CheckpointError";
}
