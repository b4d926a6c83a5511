/**
 * Contexts of the library, as numbers: how they are made, and freed from another thread.
 * @module
 */

import { asBuffer } from "./buffers.ts";
import { check } from "./errors.ts";
import { supportedLevels } from "./isa.ts";
import { type KernelSymbols, readEnvironment } from "./library.ts";
import { u32 } from "./objects.ts";
import { type KernelsOptions, NONE } from "./params.ts";
import { limits } from "./symbols.ts";

/** Starts a thread team and gives the context's id. Throws KernelError, RangeError and TypeError. */
export function createContext(native: KernelSymbols, options: KernelsOptions): number {
  const isa = options.isa ?? readEnvironment("KUMI_ISA") ?? "";
  const threads = u32(options.threads ?? 0, "threads");
  const units = workspaceUnits(options.workspaceBytes);
  const { interrupts } = options;
  if (interrupts !== undefined) checkShared(interrupts);
  const name = new TextEncoder().encode(isa);
  const out = new Uint32Array(1);
  const status = native.kumi_context_create(asBuffer(name), name.length, threads, units, asBuffer(out));
  if (status < 0) {
    const level = isa === "" ? {} : { isa, supported: supportedLevels(native).join(", ") };
    check(status, "open kernels", { ...level, threads });
  }
  if (interrupts !== undefined) {
    const word = interrupts.subarray(0, 1);
    check(native.kumi_context_set_stop(out[0], asBuffer(word), word.byteLength), "open kernels");
  }
  return out[0];
}

/** The library keeps the word's address, and only shared memory can neither move nor be detached. */
function checkShared(word: Int32Array): void {
  if (word.buffer instanceof SharedArrayBuffer && word.length > 0) return;
  throw new TypeError("interrupts must be an Int32Array of at least one word on a SharedArrayBuffer");
}

/** The whole units that hold so many bytes. */
export function workspaceUnits(bytes: number): number {
  const units = Math.ceil(bytes / limits.unitBytes);
  if (!(bytes >= 0) || units >= NONE) {
    throw new RangeError(
      `Workspace must have 0 to ${(NONE - 1) * limits.unitBytes} bytes, current value is ${bytes}`,
    );
  }
  return units;
}
