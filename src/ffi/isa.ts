/**
 * The instruction set levels that a library knows.
 * @module
 */

import { check } from "./errors.ts";
import type { KernelSymbols } from "./library.ts";

/** Levels that this machine supports, best first. */
export function supportedLevels(native: KernelSymbols): string[] {
  return names(native.kumi_isa_levels);
}

/** All levels of this architecture, best first. */
export function levelNames(native: KernelSymbols): string[] {
  return names(native.kumi_isa_level_names);
}

function names(list: (out: BufferSource, bytes: number) => number): string[] {
  const buffer = new Uint8Array(1024);
  const length = check(list(buffer, buffer.length), "list instruction set levels");
  return new TextDecoder().decode(buffer.subarray(0, length)).split(",");
}
