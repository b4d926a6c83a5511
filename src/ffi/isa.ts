/**
 * The instruction set levels that a library knows.
 * @module
 */

import { asBuffer } from "./buffers.ts";
import { check } from "./errors.ts";
import { type KernelSymbols, Library } from "./library.ts";

/** An instruction set level, and what keeps this machine from running it. */
export interface IsaLevel {
  readonly name: string;
  /** Zig's name of the architecture; empty: any. */
  readonly arch: string;
  /** The library has it and this machine can run it. */
  readonly supported: boolean;
  /** Features that the processor lacks, by the compiler's names. */
  readonly missing: readonly string[];
  /** Kinds of registers that the system does not save: "ymm", "zmm", "tile". */
  readonly unsaved: readonly string[];
}

/** What detection found. */
export interface IsaReport {
  /** Cores of the CPUs that this process may use; undefined where the system does not tell. */
  readonly cores: number | undefined;
  /** Features of the processor that levels make use of. */
  readonly features: readonly string[];
  /** The levels of this architecture, best first, then those of others. */
  readonly levels: readonly IsaLevel[];
}

/** Asks the library at `path`, else the default one. Throws LibraryError when there is none. */
export function isaReport(path?: string): IsaReport {
  const library = Library.acquire(path);
  try {
    return readIsaReport(library.symbols);
  } finally {
    library.release();
  }
}

/** As {@linkcode isaReport}, of an open library. */
export function readIsaReport(native: KernelSymbols): IsaReport {
  const [head, ...lines] = text(native.kumi_isa_report, 8192).split("\n").slice(0, -1);
  const [cores, features] = head.split("\t");
  const own = new Set(levelNames(native));
  const levels = lines.map((line): IsaLevel => {
    const [name, arch, missing, unsaved] = line.split("\t");
    const lists = { missing: words(missing), unsaved: words(unsaved) };
    const supported = own.has(name) && lists.missing.length + lists.unsaved.length === 0;
    return { name, arch, supported, ...lists };
  });
  return { cores: Number(cores) || undefined, features: words(features), levels };
}

function words(list: string): string[] {
  return list.split(" ").filter((word) => word !== "");
}

/** Why the level cannot be forced, as the end of a sentence, and which can; undefined when it can. */
export function refusal(name: string, { levels }: IsaReport): string | undefined {
  const level = levels.find((level) => level.name === name);
  if (level?.supported) return undefined;
  const possible = levels.filter(({ supported }) => supported).map(({ name }) => name).join(", ");
  return `${level === undefined ? "there is no such level" : obstacles(level)}; possible here: ${possible}`;
}

/**
 * What keeps this machine from running the level: "the processor lacks amx_tile amx_int8, the system does not
 * save zmm registers".
 */
export function obstacles({ arch, missing, unsaved }: IsaLevel): string {
  const parts: string[] = [];
  if (missing.length > 0) parts.push(`the processor lacks ${missing.join(" ")}`);
  if (unsaved.length > 0) parts.push(`the system does not save ${unsaved.join(" and ")} registers`);
  return parts.length > 0 ? parts.join(", ") : `it is for ${arch}`;
}

/** Levels that this machine supports, best first. */
export function supportedLevels(native: KernelSymbols): string[] {
  return names(native.kumi_isa_levels);
}

/** All levels of this architecture, best first. */
export function levelNames(native: KernelSymbols): string[] {
  return names(native.kumi_isa_level_names);
}

function names(list: (out: BufferSource, bytes: number) => number): string[] {
  return text(list, 1024).split(",");
}

function text(write: (out: BufferSource, bytes: number) => number, bytes: number): string {
  const buffer = new Uint8Array(bytes);
  const length = check(write(asBuffer(buffer), bytes), "list instruction set levels");
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/**
 * The instructions with which a level multiplies BF16 weights: those products, and no others, have bits of their own with each of
 * them. Levels that have none for it widen the weights and use FMA.
 */
export function bf16Instructions(level: string): string {
  if (level === "amx") return "tdpbf16ps";
  return level === "x86_64_v4_bf16" ? "vdpbf16ps" : "fma";
}
