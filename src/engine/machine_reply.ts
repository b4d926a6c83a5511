import { machineInfo } from "../ffi/machine.ts";
import { toWireError } from "../protocol/errors.ts";
import type { FromEngine } from "../protocol/messages.ts";

/** The worker's answer to "machine": only a worker opens the native library, and nothing is loaded yet. */
export function machineReply(libraryPath?: string): FromEngine {
  try {
    const { nodes, usableCpus } = machineInfo(libraryPath);
    return { type: "machine", machine: { nodes, usable: usableCpus } };
  } catch (error) {
    return { type: "failed", error: toWireError(error) };
  }
}
