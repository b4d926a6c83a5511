/** What the machine offers this process. @module */

import { machineInfo } from "../ffi/machine.ts";

/**
 * Bytes this process may still use: the smaller of the machine's available memory and its control groups'
 * headroom.
 */
export function availableMemoryBytes(): number {
  return machineInfo().availableBytes ?? Deno.systemMemoryInfo().available;
}

/** "AMD EPYC (2 cores)", as far as the system tells. */
export function processorName(): string {
  return `${machineInfo().processor ?? Deno.build.arch} (${navigator.hardwareConcurrency} cores)`;
}
