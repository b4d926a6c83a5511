/**
 * Makes a program start without some of the libraries that it was linked to, for one whose windows and sounds
 * nobody needs: its undefined symbols become weak, so that those which are nowhere are null instead of an
 * error; functions that it calls nevertheless are exchanged for one that returns 0.
 * @module
 */

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly bytes: number;
  /** Index of the section that this one refers to: its strings. */
  readonly link: number;
}

const DYNAMIC = 6;
const DYNAMIC_SYMBOLS = 11;
const VERSIONS_NEEDED = 0x6ffffffe;
const VERSIONS = 0x6fffffff;
/** Of the C library: takes nothing, returns 0, does no harm. */
const RETURNS_ZERO = "sched_yield";

function sections(view: DataView): Section[] {
  const first = Number(view.getBigUint64(40, true));
  const size = view.getUint16(58, true);
  return Array.from({ length: view.getUint16(60, true) }, (_, i) => {
    const at = first + i * size;
    return {
      type: view.getUint32(at + 4, true),
      offset: Number(view.getBigUint64(at + 24, true)),
      bytes: Number(view.getBigUint64(at + 32, true)),
      link: view.getUint32(at + 40, true),
    };
  });
}

/** The names of the libraries that a dynamic ELF64 file needs. */
export function neededLibraries(file: Uint8Array): string[] {
  const names: string[] = [];
  eachNeeded(file, (name) => names.push(name));
  return names;
}

const DT_NEEDED = 1n;
/** A number that the dynamic linker skips. */
const DT_CHECKSUM = 0x6ffffdf8n;

function eachNeeded(file: Uint8Array, visit: (name: string, at: number, offset: number) => void): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const all = sections(view);
  const dynamic = all.find(({ type }) => type === DYNAMIC);
  if (dynamic === undefined) throw new TypeError("Cannot read what a program needs: it is not dynamic");
  const strings = all[dynamic.link].offset;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.bytes; at += 16) {
    if (view.getBigUint64(at, true) !== DT_NEEDED) continue;
    const offset = Number(view.getBigUint64(at + 8, true));
    visit(text(file, strings + offset), at, offset);
  }
}

function text(file: Uint8Array, start: number): string {
  return new TextDecoder().decode(file.subarray(start, file.indexOf(0, start)));
}

/**
 * Changes `file` in place: of the libraries that it needs only those of `kept` are loaded, among them the C
 * library. Of the functions in the others, those of `called` return 0; one of these names must be as long as
 * {@linkcode RETURNS_ZERO}. Throws TypeError for other files.
 */
export function weaken(file: Uint8Array, kept: ReadonlySet<string>, called: ReadonlySet<string>): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let keptName: number | undefined;
  eachNeeded(file, (name, at, offset) => {
    if (kept.has(name)) keptName = offset;
    else view.setBigUint64(at, DT_CHECKSUM, true);
  });
  if (keptName === undefined) throw new TypeError("Cannot do without any library");
  const all = sections(view);
  for (const section of all) {
    const strings = all[section.link]?.offset ?? 0;
    if (section.type === DYNAMIC_SYMBOLS) {
      const versions = all.find(({ type }) => type === VERSIONS)?.offset;
      const symbols = undefinedSymbols(file, section, strings);
      weakenSymbols(view, symbols);
      replaceSymbols(file, symbols.filter(({ name }) => called.has(name)), strings, versions);
    } else if (section.type === VERSIONS_NEEDED) {
      weakenVersions(file, section, strings, kept, keptName);
    }
  }
}

interface Symbol {
  readonly index: number;
  readonly at: number;
  readonly name: string;
}

function undefinedSymbols(file: Uint8Array, { offset, bytes }: Section, strings: number): Symbol[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const found: Symbol[] = [];
  for (let index = 1; index < bytes / 24; index++) {
    const at = offset + 24 * index;
    const isUndefined = view.getUint16(at + 6, true) === 0;
    if (isUndefined) found.push({ index, at, name: text(file, strings + view.getUint32(at, true)) });
  }
  return found;
}

function weakenSymbols(view: DataView, symbols: readonly Symbol[]): void {
  const global = 1;
  const weak = 2;
  for (const { at } of symbols) {
    const info = view.getUint8(at + 4);
    if (info >> 4 === global) view.setUint8(at + 4, weak << 4 | info & 15);
  }
}

function replaceSymbols(
  file: Uint8Array,
  symbols: readonly Symbol[],
  strings: number,
  versions: number | undefined,
): void {
  if (symbols.length === 0) return;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const host = symbols.find(({ name }) => name.length >= RETURNS_ZERO.length);
  if (host === undefined) throw new TypeError(`Cannot write ${RETURNS_ZERO} over any of the names`);
  const name = view.getUint32(host.at, true);
  file.set(new TextEncoder().encode(RETURNS_ZERO + "\0"), strings + name);
  const anyVersion = 1;
  for (const { at, index } of symbols) {
    view.setUint32(at, name, true);
    if (versions !== undefined) view.setUint16(versions + 2 * index, anyVersion, true);
  }
}

/** Versions of libraries that are not loaded are looked for in another one, and need not be there. */
function weakenVersions(
  file: Uint8Array,
  section: Section,
  strings: number,
  kept: ReadonlySet<string>,
  keptName: number,
): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const weak = 2;
  for (let at = section.offset;;) {
    const next = view.getUint32(at + 12, true);
    if (!kept.has(text(file, strings + view.getUint32(at + 4, true)))) {
      view.setUint32(at + 4, keptName, true);
      let version = at + view.getUint32(at + 8, true);
      for (let i = 0; i < view.getUint16(at + 2, true); i++) {
        view.setUint16(version + 4, view.getUint16(version + 4, true) | weak, true);
        version += view.getUint32(version + 12, true);
      }
    }
    if (next === 0) return;
    at += next;
  }
}
