/** Mach-O of 64 bits, one architecture: macOS. @module */

import type { SharedLibrary } from "./facts.ts";
import { textAt } from "./text.ts";

const CPUS: Readonly<Record<number, SharedLibrary["arch"]>> = { 0x01000007: "x86_64", 0x0100000c: "aarch64" };
const FILE_TYPE_DYLIB = 6;
/** Load commands. */
const SYMTAB = 0x2, CODE_SIGNATURE = 0x1d, BUILD_VERSION = 0x32, SEGMENT_64 = 0x19;
const DYLD_INFO = 0x22, DYLD_INFO_ONLY = 0x80000022, DYLD_EXPORTS_TRIE = 0x80000033;
const LOADS: ReadonlySet<number> = new Set([0xc, 0x80000018, 0x8000001f, 0x80000023]);

/** A number of 7 bits a byte, and the offset behind it. */
function uleb(view: DataView, offset: number): [value: number, next: number] {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = view.getUint8(offset++);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return [value, offset];
    scale *= 128;
  }
}

/** The names in an export trie, without the underscore of C. */
function exportsOf(view: DataView, trie: number, size: number): string[] {
  const names: string[] = [];
  const open: [node: number, prefix: string][] = size === 0 ? [] : [[0, ""]];
  for (let [node, prefix] = open.pop() ?? [-1, ""]; node >= 0; [node, prefix] = open.pop() ?? [-1, ""]) {
    const [terminalBytes, terminal] = uleb(view, trie + node);
    if (terminalBytes > 0) names.push(prefix.replace(/^_/, ""));
    let at = terminal + terminalBytes;
    const children = view.getUint8(at++);
    for (let i = 0; i < children; i++) {
      const edge = textAt(view, at);
      const [child, next] = uleb(view, at + new TextEncoder().encode(edge).length + 1);
      if (names.length + open.length > size) throw new TypeError("a Mach-O file with a circle of exports");
      open.push([child, prefix + edge]);
      at = next;
    }
  }
  return names.sort();
}

/** Whether a symbol table has entries for debuggers. */
function hasStabs(view: DataView, command: number): boolean {
  const symbols = view.getUint32(command + 8, true);
  const count = view.getUint32(command + 12, true);
  for (let i = 0; i < count; i++) {
    if ((view.getUint8(symbols + 16 * i + 4) & 0xe0) !== 0) return true;
  }
  return false;
}

function hasDwarf(view: DataView, segment: number): boolean {
  return textAt(view, segment + 8) === "__DWARF";
}

/** "13.0" from its packed form. */
function versionText(packed: number): string {
  return `${packed >>> 16}.${packed >>> 8 & 0xff}`;
}

/** Reads a Mach-O file. Throws TypeError for one of another kind, RangeError for one that is cut off. */
export function readMachO(view: DataView): SharedLibrary {
  const arch = CPUS[view.getUint32(4, true)];
  if (arch === undefined || view.getUint32(12, true) !== FILE_TYPE_DYLIB) {
    throw new TypeError("a Mach-O file, but no library for a known machine");
  }
  let exports: string[] = [];
  const needs: string[] = [];
  let hasDebugInfo = false;
  let isSigned = false;
  let minimumSystem: string | undefined;
  let at = 32;
  for (let i = view.getUint32(16, true); i > 0; i--) {
    const command = view.getUint32(at, true);
    const word = (offset: number) => view.getUint32(at + offset, true);
    if (LOADS.has(command)) needs.push(textAt(view, at + word(8)));
    else if (command === SYMTAB) hasDebugInfo ||= hasStabs(view, at);
    else if (command === SEGMENT_64) hasDebugInfo ||= hasDwarf(view, at);
    else if (command === CODE_SIGNATURE) isSigned = word(12) > 0;
    else if (command === BUILD_VERSION) minimumSystem = versionText(word(12));
    else if (command === DYLD_EXPORTS_TRIE) exports = exportsOf(view, word(8), word(12));
    else if (command === DYLD_INFO || command === DYLD_INFO_ONLY) {
      exports = exportsOf(view, word(40), word(44));
    }
    at += word(4);
  }
  needs.sort();
  const rest = { versions: [], hasDebugInfo, staysLoaded: false, isSigned };
  return { format: "Mach-O", arch, exports, needs, ...rest, ...(minimumSystem && { minimumSystem }) };
}
