/** The option `--threads`. @module */

import { counted } from "./counted.ts";
import { LOAD_BOUNDS } from "../protocol/load_bounds.ts";
import { printNote } from "../process/print.ts";
import { type Arguments, numberOption } from "./command.ts";

/** The value of `--threads`. Says on stderr when it is more than there are CPUs. */
export function threadsOption(args: Arguments): number | undefined {
  const threads = numberOption(args, "threads", LOAD_BOUNDS.threads);
  const warning = threadsWarning(threads);
  if (warning !== null) printNote(`kumi: ${warning}`);
  return threads;
}

/** What to say of so many threads; null where nothing is to be said. They compute the same, but wait for one another. */
export function threadsWarning(
  threads: number | undefined,
  cpus = navigator.hardwareConcurrency,
): string | null {
  if (threads === undefined || threads <= cpus) return null;
  return `${threads} threads have ${counted(cpus, "CPU")} to run on: that is slower than ${
    counted(cpus, "thread")
  }`;
}
