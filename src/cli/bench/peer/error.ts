/** @module */

/** A peer cannot be had; the message says what to do. */
export class PeerError extends Error {
  override readonly name = "PeerError";
}
