/** What a shared library says of itself, in the format of any system. @module */

import { readElf } from "./elf.ts";
import { readMachO } from "./mach_o.ts";
import { readPe } from "./pe.ts";

/** The facts that a build is checked for. */
export interface SharedLibrary {
  readonly format: "ELF" | "Mach-O" | "PE";
  readonly arch: "x86_64" | "aarch64";
  /** Names of the symbols that others can find, sorted. */
  readonly exports: readonly string[];
  /** Libraries that are loaded with it, sorted. */
  readonly needs: readonly string[];
  /** Versions of symbols that it needs of them (`GLIBC_2.17`), sorted; ELF alone has these. */
  readonly versions: readonly string[];
  /** Whether it has symbols or sections for debuggers. */
  readonly hasDebugInfo: boolean;
  /** Whether the file itself keeps its code mapped after the last close (`-z nodelete`). */
  readonly staysLoaded: boolean;
  /** Whether it carries a code signature; Mach-O alone. macOS on aarch64 loads no code without. */
  readonly isSigned: boolean;
  /** The oldest system that loads it, such as "13.0"; Mach-O alone. */
  readonly minimumSystem?: string;
}

/** Reads a shared library of 64 bits. Throws TypeError for other files, RangeError for one that is cut off. */
export function readSharedLibrary(bytes: Uint8Array): SharedLibrary {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0, true);
  if (magic === 0x464c457f) return readElf(view);
  if (magic === 0xfeedfacf) return readMachO(view);
  if ((magic & 0xffff) === 0x5a4d) return readPe(view);
  throw new TypeError(`not a shared library: it begins with ${magic.toString(16).padStart(8, "0")}`);
}
