/** ELF of 64 bits, little-endian: Linux. @module */

import type { SharedLibrary } from "./facts.ts";
import { offsetAt, textAt } from "./text.ts";

const MACHINES: Readonly<Record<number, SharedLibrary["arch"]>> = { 62: "x86_64", 183: "aarch64" };
/** Types of sections. */
const SYMTAB = 2, DYNAMIC = 6, DYNSYM = 11, VERNEED = 0x6ffffffe;
/** Tags of the dynamic section. */
const NEEDED = 1, FLAGS_1 = 0x6ffffffb;
const FLAG_1_NODELETE = 8;

interface Section {
  readonly name: string;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  /** Index of the section with its strings. */
  readonly link: number;
  readonly info: number;
}

function readSections(view: DataView): Section[] {
  const table = offsetAt(view, 0x28);
  const entryBytes = view.getUint16(0x3a, true);
  const count = view.getUint16(0x3c, true);
  const at = (i: number) => table + i * entryBytes;
  const names = offsetAt(view, at(view.getUint16(0x3e, true)) + 0x18);
  return Array.from({ length: count }, (_, i) => ({
    name: textAt(view, names + view.getUint32(at(i), true)),
    type: view.getUint32(at(i) + 4, true),
    offset: offsetAt(view, at(i) + 0x18),
    size: offsetAt(view, at(i) + 0x20),
    link: view.getUint32(at(i) + 0x28, true),
    info: view.getUint32(at(i) + 0x2c, true),
  }));
}

/** Defined symbols of global or weak binding that are visible from outside. */
function exportsOf(view: DataView, symbols: Section, strings: Section): string[] {
  const names: string[] = [];
  for (let at = symbols.offset; at < symbols.offset + symbols.size; at += 24) {
    const binding = view.getUint8(at + 4) >> 4;
    const visibility = view.getUint8(at + 5) & 3;
    const isDefined = view.getUint16(at + 6, true) !== 0;
    const isVisible = visibility === 0 || visibility === 3;
    if ((binding === 1 || binding === 2) && isVisible && isDefined) {
      names.push(textAt(view, strings.offset + view.getUint32(at, true)));
    }
  }
  return names.sort();
}

function versionsOf(view: DataView, needs: Section, strings: Section): string[] {
  const names = new Set<string>();
  let at = needs.offset;
  for (let file = 0; file < needs.info; file++) {
    const count = view.getUint16(at + 2, true);
    let entry = at + view.getUint32(at + 8, true);
    for (let i = 0; i < count; i++) {
      names.add(textAt(view, strings.offset + view.getUint32(entry + 8, true)));
      entry += view.getUint32(entry + 12, true);
    }
    at += view.getUint32(at + 12, true);
  }
  return [...names].sort();
}

/** The values of a tag in the dynamic section. */
function dynamicValues(view: DataView, section: Section, tag: number): number[] {
  const values: number[] = [];
  for (let at = section.offset; at < section.offset + section.size; at += 16) {
    if (offsetAt(view, at) === tag) values.push(offsetAt(view, at + 8));
  }
  return values;
}

/** Reads an ELF file. Throws TypeError for one of another kind, RangeError for one that is cut off. */
export function readElf(view: DataView): SharedLibrary {
  const arch = MACHINES[view.getUint16(0x12, true)];
  if (view.getUint8(4) !== 2 || view.getUint8(5) !== 1 || arch === undefined) {
    throw new TypeError("an ELF file for another kind of machine");
  }
  const sections = readSections(view);
  const find = (type: number) => sections.find((section) => section.type === type);
  const [dynamic, symbols, versions] = [find(DYNAMIC), find(DYNSYM), find(VERNEED)];
  if (dynamic === undefined || symbols === undefined) {
    throw new TypeError("an ELF file, but no shared library");
  }
  const strings = sections[dynamic.link].offset;
  return {
    format: "ELF",
    arch,
    exports: exportsOf(view, symbols, sections[symbols.link]),
    needs: dynamicValues(view, dynamic, NEEDED).map((name) => textAt(view, strings + name)).sort(),
    versions: versions === undefined ? [] : versionsOf(view, versions, sections[versions.link]),
    hasDebugInfo: sections.some(({ name, type }) => type === SYMTAB || name.startsWith(".debug")),
    staysLoaded: dynamicValues(view, dynamic, FLAGS_1).some((flags) => (flags & FLAG_1_NODELETE) !== 0),
    isSigned: false,
  };
}
