/**
 * Memory of this isolate alone: the process's resident size would count other tests and what V8 keeps for
 * later.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");

/** Frees everything unreachable, so that the next measurement starts from what is alive. */
export const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes of the heap and of array buffers, garbage included. */
export function isolateBytes(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
