/** What settings of loading may be at all, for the command line and the server; what fits a model and a machine, loading says. @module */

import { limits } from "../ffi/symbols.ts";

/** Most sequences of a step that want logits: a row of the vocabulary each. */
export const LOGITS_ROWS_MAX = 512;

/** A range of whole numbers. */
interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly integer: true;
}

const whole = (min: number, max: number): Bounds => ({ min, max, integer: true });

/** By the names that `loadModel` gives them. */
export const LOAD_BOUNDS = {
  threads: whole(1, limits.threadsMax),
  workers: whole(1, 1024),
  contextLength: whole(16, 2 ** 24),
  kvTokens: whole(16, 2 ** 30),
  sequencesMax: whole(1, LOGITS_ROWS_MAX),
  batchTokensMax: whole(1, 65_536),
} as const;
