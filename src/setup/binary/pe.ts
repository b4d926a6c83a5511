/** PE32+: Windows. @module */

import type { SharedLibrary } from "./facts.ts";
import { textAt } from "./text.ts";

const MACHINES: Readonly<Record<number, SharedLibrary["arch"]>> = { 0x8664: "x86_64", 0xaa64: "aarch64" };
const IS_DLL = 0x2000;
/** Data directories. */
const EXPORT = 0, IMPORT = 1, DEBUG = 6, DELAY_IMPORT = 13;
/** A debug directory's entry that names a file with symbols; a hash of the build is one of another type. */
const CODEVIEW = 2;

/** Reads a PE file. Throws TypeError for one of another kind, RangeError for one that is cut off. */
export function readPe(view: DataView): SharedLibrary {
  const header = view.getUint32(0x3c, true);
  if (view.getUint32(header, true) !== 0x4550) throw new TypeError("a program for DOS");
  const arch = MACHINES[view.getUint16(header + 4, true)];
  const options = header + 24;
  const isDll = (view.getUint16(header + 22, true) & IS_DLL) !== 0;
  if (arch === undefined || !isDll || view.getUint16(options, true) !== 0x20b) {
    throw new TypeError("a PE file, but no library for a known machine");
  }
  const sections = options + view.getUint16(header + 20, true);
  const sectionCount = view.getUint16(header + 6, true);
  /** The offset in the file of an address in memory. */
  const fileOffset = (address: number): number => {
    for (let i = 0; i < sectionCount; i++) {
      const at = sections + 40 * i;
      const start = view.getUint32(at + 12, true);
      if (address >= start && address < start + view.getUint32(at + 16, true)) {
        return address - start + view.getUint32(at + 20, true);
      }
    }
    throw new RangeError(`address ${address} is in no section`);
  };
  const directory = (index: number) => view.getUint32(options + 112 + 8 * index, true);

  const exports: string[] = [];
  if (directory(EXPORT) !== 0) {
    const table = fileOffset(directory(EXPORT));
    const count = view.getUint32(table + 24, true);
    const names = count === 0 ? 0 : fileOffset(view.getUint32(table + 32, true));
    for (let i = 0; i < count; i++) {
      exports.push(textAt(view, fileOffset(view.getUint32(names + 4 * i, true))));
    }
  }
  const needs: string[] = [];
  for (const [index, entryBytes, nameAt] of [[IMPORT, 20, 12], [DELAY_IMPORT, 32, 4]]) {
    if (directory(index) === 0) continue;
    for (let at = fileOffset(directory(index)); view.getUint32(at + nameAt, true) !== 0; at += entryBytes) {
      needs.push(textAt(view, fileOffset(view.getUint32(at + nameAt, true))));
    }
  }
  let hasDebugInfo = false;
  const debugBytes = directory(DEBUG) === 0 ? 0 : view.getUint32(options + 112 + 8 * DEBUG + 4, true);
  for (let i = 0; i < debugBytes; i += 28) {
    hasDebugInfo ||= view.getUint32(fileOffset(directory(DEBUG)) + i + 12, true) === CODEVIEW;
  }
  const rest = { versions: [], hasDebugInfo, staysLoaded: false, isSigned: false };
  return { format: "PE", arch, exports: exports.sort(), needs: needs.sort(), ...rest };
}
