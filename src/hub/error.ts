/** What went wrong with a download. @module */

/** Kinds of download failures. */
export type HubErrorKind =
  | "reference"
  | "access"
  | "not-found"
  | "server"
  | "network"
  | "mismatch"
  | "program"
  | "disk";

/** A model could not be fetched; the message says what to do. */
export class HubError extends Error {
  override readonly name = "HubError";

  constructor(readonly kind: HubErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
