/** What a kernel library must be before it is given to others. @module */

import { symbols } from "../ffi/symbols.ts";
import type { Platform } from "../ffi/platform.ts";
import type { SharedLibrary } from "./binary/facts.ts";
import { ROOT } from "./paths.ts";

/** The most bytes that a library may have. */
export const LIBRARY_BYTES_MAX = 6 * 1024 * 1024;

/**
 * The newest version of glibc that may be needed: that of RHEL 7, older than every distribution still in use.
 */
const GLIBC_NEWEST = [2, 17];
const MACOS_NEWEST = 13;

/** What the system itself has, which a library may therefore need. */
const SYSTEM_LIBRARIES: Readonly<Record<string, RegExp>> = {
  glibc: /^(?:libc\.so\.6|libm\.so\.6|libpthread\.so\.0|libdl\.so\.2|ld-linux-[\w-]+\.so\.[12])$/,
  musl: /^libc\.so$/,
  darwin: /^\/usr\/lib\/libSystem\.B\.dylib$/,
  windows: /^(?:kernel32\.dll|ntdll\.dll|api-ms-win-crt-[\w-]+\.dll)$/i,
};

/**
 * Zig's linker lists these labels of the file itself among a Mach-O library's exports; none of them is code
 * of ours.
 */
const LINKER_LABELS: ReadonlySet<string> = new Set(["__dso_handle", "_mh_dylib_header"]);

/** Names of the instruction-set levels of an architecture, best first. */
export async function levelNames(arch: Platform["arch"], root: string = ROOT): Promise<string[]> {
  const source = await Deno.readTextFile(`${root}/kernels/src/isa/levels.zig`);
  const pattern = new RegExp(`\\.name = "(\\w+)", \\.arch = \\.${arch},`, "g");
  return [...source.matchAll(pattern)].map(([, name]) => name);
}

/**
 * Those levels whose names the library holds. It cannot be linked without the table of a level that it names.
 */
export function levelsInside(bytes: Uint8Array, levels: readonly string[]): string[] {
  const text = new TextDecoder("latin1").decode(bytes);
  return levels.filter((name) => text.includes(`${name}\0`));
}

function isNewerGlibc(version: string): boolean {
  const [, major, minor] = /^GLIBC_(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined) return true; // private symbols and versions of other libraries
  return Number(major) > GLIBC_NEWEST[0] ||
    (Number(major) === GLIBC_NEWEST[0] && Number(minor) > GLIBC_NEWEST[1]);
}

/** What is wrong with a library for a platform, a sentence each; empty when it can be given to others. */
export function libraryProblems(platform: Platform, library: SharedLibrary, size: number): string[] {
  const problems: string[] = [];
  if (library.arch !== platform.arch) problems.push(`it is for ${library.arch}`);
  if (size > LIBRARY_BYTES_MAX) problems.push(`it has ${size} bytes, more than ${LIBRARY_BYTES_MAX}`);

  const promised = new Set(Object.keys(symbols));
  const found = new Set(library.exports);
  const missing = [...promised].filter((name) => !found.has(name));
  const isLabel = (name: string) => library.format === "Mach-O" && LINKER_LABELS.has(name);
  const extra = [...found].filter((name) => !promised.has(name) && !isLabel(name));
  if (missing.length > 0) problems.push(`it does not export ${missing.join(", ")}`);
  if (extra.length > 0) problems.push(`it exports ${extra.slice(0, 8).join(", ")} beyond the ABI`);

  const system = SYSTEM_LIBRARIES[platform.libc ?? platform.os];
  const foreign = library.needs.filter((name) => !system.test(name));
  if (foreign.length > 0) problems.push(`it needs ${foreign.join(", ")}`);
  const newer = library.versions.filter(isNewerGlibc);
  if (newer.length > 0) {
    problems.push(`it needs ${newer.join(", ")}, newer than glibc ${GLIBC_NEWEST.join(".")}`);
  }
  if (platform.libc === "musl" && library.versions.length > 0) {
    problems.push(`it needs versions of symbols, which musl does not have: ${library.versions.join(", ")}`);
  }
  if (Number(library.minimumSystem ?? 0) > MACOS_NEWEST) {
    problems.push(`it needs macOS ${library.minimumSystem}`);
  }

  if (library.hasDebugInfo) problems.push("it is not stripped");
  if (platform.os === "linux" && !library.staysLoaded) problems.push("it was linked without -z nodelete");
  if (platform.id === "darwin-arm64" && !library.isSigned) problems.push("it is not signed, not even ad hoc");
  return problems;
}
