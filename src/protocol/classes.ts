import { DEFAULT_CLASSES, type LatencyClass } from "../../scheduler/mod.ts";

/**
 * The default classes of a program that calls the library: it waits for its own requests and is never refused
 * for time.
 */
export const LIBRARY_CLASSES: readonly LatencyClass[] = DEFAULT_CLASSES.map((each) => ({
  ...each,
  ttftSloMs: undefined,
  queueLimit: { requests: 2 ** 20, tokens: 2 ** 32 },
}));
