/**
 * Disassembles each level's object and fails where an instruction needs a feature that the level does not
 * have: one of them in the wrong place crashes old processors, and no test on a new one shows it.
 * @module
 */

import { pathOf } from "../../src/setup/paths.ts";
import { capture } from "../../src/setup/process.ts";
import { ensureProgram, ProgramMissing, pythonCommand } from "../../src/setup/programs.ts";
import { aarch64Features } from "./aarch64.ts";
import { x86Features } from "./x86.ts";

export type Arch = "x86_64" | "aarch64";

/** An instruction's line, and the features it needs that were not allowed. */
export interface Violation {
  readonly line: string;
  readonly lacking: readonly string[];
}

/** What a disassembly holds. */
export interface Disassembly {
  readonly instructions: number;
  /** The first of each kind. */
  readonly violations: readonly Violation[];
  /** How many instructions need each feature. */
  readonly needs: ReadonlyMap<string, number>;
}

/** Address, a tab, maybe an encoding prefix, mnemonic, operands. */
const INSTRUCTION =
  /^\s*[0-9a-f]+:\s+((?:\{\w+\}\s*)?(?:(?:lock|rep\w*|bnd|notrack|data16|cs|ds)\s+)*)([<(]?[\w.]+[)>]?)\s*(.*)$/;

/** Reads what `objdump -d --no-show-raw-insn` prints. */
export function readDisassembly(text: string, arch: Arch, allowed: ReadonlySet<string>): Disassembly {
  const needs = new Map<string, number>();
  const violations = new Map<string, Violation>();
  let instructions = 0;
  for (const line of text.split("\n")) {
    const match = INSTRUCTION.exec(line);
    if (match === null) continue;
    instructions++;
    const [, prefix, mnemonic, rest] = match;
    const operands = rest.replace(/[<#;].*$/, "");
    const features = arch === "x86_64"
      ? x86Features(mnemonic, operands, prefix.includes("{vex}"))
      : aarch64Features(mnemonic, operands);
    if (features.length === 0) continue;
    for (const feature of features) needs.set(feature, (needs.get(feature) ?? 0) + 1);
    const lacking = features.filter((feature) => !allowed.has(feature));
    const kind = lacking.join(" ");
    if (lacking.length > 0 && !violations.has(kind)) violations.set(kind, { line: line.trim(), lacking });
  }
  return { instructions, violations: [...violations.values()], needs };
}

/** The result of a check, for the test runner. */
export interface Checked {
  readonly ok: boolean;
  readonly output: string;
  readonly skipped?: string;
}

/** Older versions of LLVM's have to be told which of Arm's instructions may come. */
const LLVM_AARCH64 = "--mattr=+v8.6a,+fullfp16,+sve2,+dotprod,+i8mm,+bf16";

const SCRIPT = pathOf(new URL("./disassemble.py", import.meta.url));

/**
 * What a disassembler prints. Throws ProgramMissing where none here knows the architecture and none can be
 * installed.
 */
async function disassemble(path: string, arch: Arch, signal: AbortSignal): Promise<string> {
  for (const program of ["objdump", `${arch}-linux-gnu-objdump`, "llvm-objdump"]) {
    const options = arch === "x86_64" ? ["-M", "intel"] : program === "llvm-objdump" ? [LLVM_AARCH64] : [];
    const result = await capture([program, "-d", "--no-show-raw-insn", ...options, path], { signal });
    if (result?.code === 0 && /^\s*[0-9a-f]+:\s/m.test(result.stdout)) return result.stdout;
  }
  return await disassembleWithPython(path, arch, signal);
}

/** The same from packages of PyPI. */
export async function disassembleWithPython(path: string, arch: Arch, signal: AbortSignal): Promise<string> {
  const python = pythonCommand();
  const marker = await ensureProgram("disassembler", { signal });
  const env = { PYTHONPATH: marker.replace(/\/capstone\/[^/]*$/, "") };
  const result = await capture([...python, SCRIPT, arch, path], { env, signal });
  if (result?.code !== 0) throw new Error(`disassemble.py failed\n${result?.stderr}`);
  return result.stdout;
}

/** {@linkcode checkLevels}, skipped by name where nothing can disassemble. */
export async function checkObjects(folder: string, arch: Arch, signal: AbortSignal): Promise<Checked> {
  try {
    return await checkLevels(folder, arch, signal);
  } catch (error) {
    if (!(error instanceof ProgramMissing)) throw error;
    const advice = `Debian, Ubuntu: apt-get install ${arch === Deno.build.arch ? "binutils" : "llvm"}`;
    const skipped = `no objdump that knows ${arch} is installed (${advice}), and ${error.message}`;
    return { ok: true, output: "", skipped };
  }
}

/**
 * Checks what `zig build objects` left in `folder`: each object against its level's features (levels.txt),
 * and the linked library for instructions that came from none of the objects.
 */
async function checkLevels(folder: string, arch: Arch, signal: AbortSignal): Promise<Checked> {
  const lines: string[] = [];
  const total = new Map<string, number>();
  let ok = true;
  for (const level of (await Deno.readTextFile(`${folder}/levels.txt`)).trim().split("\n")) {
    const [name, ...features] = level.split(" ");
    const text = await disassemble(`${folder}/${name}.o`, arch, signal);
    const { instructions, violations, needs } = readDisassembly(text, arch, new Set(features));
    ok &&= violations.length === 0;
    for (const [feature, count] of needs) total.set(feature, (total.get(feature) ?? 0) + count);
    lines.push(`${name}: ${instructions} instructions, ${violations.length} beyond its features`);
    for (const { line, lacking } of violations) lines.push(`  ${lacking.join(", ")}: ${line}`);
  }
  const library = await disassemble(`${folder}/library`, arch, signal);
  // What the linker adds, compiler_rt foremost, must need nothing. Linking changes no instruction that needs
  // a feature.
  for (const [feature, count] of readDisassembly(library, arch, new Set()).needs) {
    const known = total.get(feature) ?? 0;
    if (count > known) {
      ok = false;
      lines.push(`library: ${count} instructions need ${feature}, in its objects there are ${known}`);
    }
  }
  lines.push(`library: no instruction of its own needs a feature`);
  return { ok, output: lines.join("\n") };
}
