/** The option `--threads`. @module */

import { LOAD } from "../protocol/options/load.ts";
import { counted } from "./counted.ts";
import { printNote } from "../process/print.ts";
import type { Arguments } from "./command.ts";
import { readOption } from "./table_options.ts";

/** The value of `--threads`. Says on stderr when it is more than there are CPUs. */
export function threadsOption(args: Arguments): number | undefined {
  const threads = readOption(args, { ...LOAD.threads, name: "threads" }) as number | undefined;
  warnOfThreads(threads);
  return threads;
}

/** Says on stderr when there are more threads than CPUs. */
export function warnOfThreads(threads: number | undefined): void {
  const warning = threadsWarning(threads);
  if (warning !== null) printNote(`kumi: ${warning}`);
}

/**
 * What to say of so many threads; null where nothing is to be said. They compute the same, but wait for one
 * another.
 */
export function threadsWarning(
  threads: number | undefined,
  cpus = navigator.hardwareConcurrency,
): string | null {
  if (threads === undefined || threads <= cpus) return null;
  return `${threads} threads have ${counted(cpus, "CPU")} to run on: that is slower than ${
    counted(cpus, "thread")
  }`;
}
