/** What a shared library says of itself, in the format of any system. @module */

import { readElf } from "./elf.ts";
import type { SharedLibrary } from "./facts.ts";
import { readMachO } from "./mach_o.ts";
import { readPe } from "./pe.ts";

/**
 * Reads a shared library of 64 bits. Throws TypeError for other files, RangeError for one that is cut off.
 */
export function readSharedLibrary(bytes: Uint8Array): SharedLibrary {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0, true);
  if (magic === 0x464c457f) return readElf(view);
  if (magic === 0xfeedfacf) return readMachO(view);
  if ((magic & 0xffff) === 0x5a4d) return readPe(view);
  throw new TypeError(`not a shared library: it begins with ${magic.toString(16).padStart(8, "0")}`);
}
