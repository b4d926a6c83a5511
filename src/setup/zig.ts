/**
 * Finds the pinned Zig, or gets it. Candidates in order: `ZIG`, `zig` on PATH, Python's `ziglang` package, an
 * earlier install in the checkout, and last a pip install of `ziglang` from PyPI into the checkout. Each
 * one's version is checked: Zig's language and library change between releases, so another version would not
 * build the kernels.
 * @module
 */

import { TOOLS } from "./paths.ts";
import { PYTHONS } from "../process/python.ts";
import { pipInstall, type PipSearch } from "./pip.ts";
import { capture } from "./process.ts";
import { note, Progress } from "./progress.ts";

/** The version the kernels are written for; also the version of PyPI's `ziglang`. */
export const ZIG_VERSION = "0.17.1";

/** No way to get Zig; the message says what to install. */
export class ZigError extends Error {
  override readonly name = "ZigError";
}

/** What the search depends on, replaceable in tests. */
export interface ZigSearch extends PipSearch {
  /** Value of `ZIG`. */
  readonly explicit?: string;
  /** Folder for installs. */
  readonly tools?: string;
}

const windows = Deno.build.os === "windows";

function installFolder(search: ZigSearch): string {
  return `${search.tools ?? TOOLS}/ziglang-${ZIG_VERSION}`;
}

function binaryIn(packageFolder: string): string {
  return `${packageFolder}/${windows ? "zig.exe" : "zig"}`;
}

/** Version of the Zig at `path`, or null where none answers. */
async function versionOf(path: string, search: ZigSearch): Promise<string | null> {
  const result = await capture([path, "version"], search);
  return result?.code === 0 ? result.stdout.trim() : null;
}

async function fromPython(search: ZigSearch): Promise<string | null> {
  for (const python of search.pythons ?? PYTHONS) {
    // The binary itself rather than `python -m ziglang`, which would leave a Python between us and every
    // build.
    const script = "import ziglang, os; print(os.path.dirname(ziglang.__file__))";
    const result = await capture([...python, "-c", script], search);
    if (result?.code === 0 && result.stdout.trim() !== "") return binaryIn(result.stdout.trim());
  }
  return null;
}

/** Looks for a Zig of the pinned version without installing anything. Resolves to its path, or null. */
export async function findZig(search: ZigSearch = {}): Promise<string | null> {
  const explicit = search.explicit ?? Deno.env.get("ZIG");
  const candidates: [string, () => Promise<string | null> | string | null][] = [
    ["ZIG", () => explicit || null],
    ["zig on PATH", () => "zig"],
    ["Python's ziglang", () => fromPython(search)],
    ["the checkout's own", () => binaryIn(`${installFolder(search)}/ziglang`)],
  ];
  for (const [name, locate] of candidates) {
    const path = await locate();
    if (path === null) continue;
    const version = await versionOf(path, search);
    if (version === ZIG_VERSION) return path;
    if (name === "ZIG") {
      const what = version === null ? "does not run" : `is version ${version}`;
      note(`ZIG=${path} ${what}; kumi is built with Zig ${ZIG_VERSION}, looking elsewhere`);
    }
  }
  return null;
}

function advice(attempts: readonly string[]): string {
  return [
    `kumi needs Zig ${ZIG_VERSION} to build its kernels, found none and could not install it.`,
    ...attempts.map((line) => `  ${line}`),
    "Do one of these, then repeat the command:",
    `  1. install Python 3 with pip (Debian, Ubuntu: apt-get install python3-pip); then: python3 -m pip install ziglang==${ZIG_VERSION}`,
    `  2. download Zig ${ZIG_VERSION} from https://ziglang.org/download/, unpack it, and put its folder on PATH or set ZIG=/path/to/zig`,
  ].join("\n");
}

/** Installs `ziglang` from PyPI into the checkout and resolves to the path of Zig. */
async function installZig(search: ZigSearch): Promise<string> {
  const folder = installFolder(search);
  using progress = new Progress(`Installing Zig ${ZIG_VERSION} from PyPI into ${folder} (about 100 MB)`);
  const attempts = await pipInstall({
    requirements: [`ziglang==${ZIG_VERSION}`],
    folder,
    async check(folder) {
      const zig = binaryIn(`${folder}/ziglang`);
      const version = await versionOf(zig, search);
      if (version === ZIG_VERSION) return null;
      return `the installed ${zig} ${version === null ? "does not run" : `is ${version}`}`;
    },
  }, search);
  if (attempts === null) {
    progress.end(`Installed Zig ${ZIG_VERSION} in ${progress.seconds.toFixed(0)} s`);
    return binaryIn(`${folder}/ziglang`);
  }
  progress.end(`Installing Zig ${ZIG_VERSION} from PyPI: failed`);
  throw new ZigError(advice(attempts));
}

/**
 * Path of a Zig of the pinned version, installed first where there is none.
 * Throws ZigError when it cannot be had, and the signal's reason when aborted.
 */
export async function ensureZig(search: ZigSearch = {}): Promise<string> {
  return await findZig(search) ?? await installZig(search);
}
