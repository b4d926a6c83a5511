/**
 * Programs that tests and benchmarks want and not every machine has. What is small and needs no root is
 * installed into the checkout; the rest is used where it is there. Looking never starts a program.
 * @module
 */

import { DebianUnavailable, installDebian } from "./debian.ts";
import { TOOLS } from "./paths.ts";
import { findOnPath } from "../process/path_search.ts";
import { PYTHONS } from "../process/python.ts";
import { pipInstall, type PipSearch } from "./pip.ts";

/** A program that may be missing. */
interface Source {
  /** What it is called in a sentence. */
  readonly title: string;
  /** Names on PATH, the best first; paths of fixed places begin with a slash. */
  readonly names: readonly string[];
  /** What a user can do. */
  readonly advice: string;
  /** Packages of PyPI, and the file in them. */
  readonly wheel?: { readonly requirements: readonly string[]; readonly file: string };
  /** A package of Debian, and the file in it. */
  readonly debian?: { readonly package: string; readonly file: string };
}

const MUSL_LOADER = `lib/ld-musl-${Deno.build.arch}.so.1`;

const SOURCES = {
  hyperfine: {
    title: "hyperfine",
    names: ["hyperfine"],
    advice: "Debian, Ubuntu: apt-get install hyperfine",
    wheel: { requirements: ["astral-dev-toolchain-hyperfine==2.0.0"], file: "bin/hyperfine" },
  },
  disassembler: {
    title: "a disassembler of PyPI",
    names: [],
    advice: "python3 with pip",
    // Which instructions there are changes with the version: these know all that the kernels use.
    wheel: { requirements: ["iced-x86==1.21.0", "capstone==5.0.9"], file: "capstone/__init__.py" },
  },
  qemu: {
    title: "qemu-aarch64",
    names: ["qemu-aarch64", "qemu-aarch64-static"],
    advice: "Debian, Ubuntu: apt-get install qemu-user",
  },
  musl: {
    title: "musl's loader",
    names: [`/${MUSL_LOADER}`],
    advice: "Debian, Ubuntu: apt-get install musl",
    debian: { package: "musl", file: `usr/${MUSL_LOADER}` },
  },
  node: { title: "node", names: ["node"], advice: "Debian, Ubuntu: apt-get install nodejs" },
  npm: { title: "npm", names: ["npm"], advice: "Debian, Ubuntu: apt-get install npm" },
  curl: { title: "curl", names: ["curl"], advice: "Debian, Ubuntu: apt-get install curl" },
  haproxy: { title: "HAProxy", names: ["haproxy"], advice: "Debian, Ubuntu: apt-get install haproxy" },
  nginx: { title: "nginx", names: ["nginx"], advice: "Debian, Ubuntu: apt-get install nginx-light" },
  promtool: { title: "promtool", names: ["promtool"], advice: "Debian, Ubuntu: apt-get install prometheus" },
  openssl: { title: "openssl", names: ["openssl"], advice: "Debian, Ubuntu: apt-get install openssl" },
  helm: { title: "helm", names: ["helm"], advice: "go install helm.sh/helm/v3/cmd/helm@v3.16.4" },
  go: { title: "go", names: ["go"], advice: "https://go.dev/dl" },
  kubernetesValidate: {
    title: "kubernetes-validate",
    names: ["kubernetes-validate"],
    advice: "pip install kubernetes-validate",
  },
  prometheus: {
    title: "Prometheus",
    names: ["prometheus"],
    advice: "Debian, Ubuntu: apt-get install prometheus",
  },
  mkfifo: { title: "mkfifo", names: ["mkfifo"], advice: "Debian, Ubuntu: apt-get install coreutils" },
} as const satisfies Record<string, Source>;

/** A program by the name used here. */
export type ProgramName = keyof typeof SOURCES;

/** Programs that {@linkcode ensureProgram} can install. */
export const INSTALLABLE = Object.entries<Source>(SOURCES)
  .filter(([, { wheel, debian }]) => wheel !== undefined || debian !== undefined)
  .map(([name]) => name as ProgramName);

/** A program is not there and cannot be had; the message says why and what to do. */
export class ProgramMissing extends Error {
  override readonly name = "ProgramMissing";
}

/** What the search depends on, replaceable in tests. */
export interface ProgramSearch extends PipSearch {
  /** Folder for installs. */
  readonly tools?: string;
  /** Value of PATH. */
  readonly path?: string;
}

function folderOf(name: ProgramName, search: ProgramSearch): string {
  const { wheel } = SOURCES[name] as Source;
  const version = wheel?.requirements.map((each) => each.split("==")[1]).join("-") ?? "debian";
  return `${search.tools ?? TOOLS}/${name}-${version}`;
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/**
 * Path of a program on PATH, in its fixed place, or installed into the checkout by an earlier run. Undefined
 * where there is none.
 */
export function findProgram(name: ProgramName, search: ProgramSearch = {}): string | undefined {
  const { names, wheel, debian } = SOURCES[name] as Source;
  const path = search.path ?? Deno.env.get("PATH");
  for (const each of names) {
    const found = each.startsWith("/") ? (isThere(each) ? each : undefined) : findOnPath(each, path);
    if (found !== undefined) return found;
  }
  const file = wheel?.file ?? debian?.file;
  const installed = `${folderOf(name, search)}/${file}`;
  return file !== undefined && isThere(installed) ? installed : undefined;
}

/** Why a program cannot be used, with what to do about it: "hyperfine is not installed (…)". */
export function missingReason(name: ProgramName, why?: string): string {
  const { title, advice } = SOURCES[name] as Source;
  return `${title} is not installed${why === undefined ? "" : `, ${why}`} (${advice})`;
}

const underWay = new Map<ProgramName, Promise<string>>();

/**
 * Path of a program, installed first where that is possible. Throws ProgramMissing, or the signal's reason.
 */
export async function ensureProgram(name: ProgramName, search: ProgramSearch = {}): Promise<string> {
  const found = findProgram(name, search);
  if (found !== undefined) return found;
  let install = underWay.get(name);
  if (install === undefined) {
    install = installProgram(name, search).finally(() => underWay.delete(name));
    underWay.set(name, install);
  }
  return await install;
}

async function installProgram(name: ProgramName, search: ProgramSearch): Promise<string> {
  const { wheel, debian } = SOURCES[name] as Source;
  const folder = folderOf(name, search);
  if (wheel !== undefined) {
    // A registry that cannot be reached must not hold up a run for minutes.
    const env = { PIP_RETRIES: "1", PIP_TIMEOUT: "15", PIP_ONLY_BINARY: ":all:", ...search.env };
    const check = (staging: string) =>
      Promise.resolve(isThere(`${staging}/${wheel.file}`) ? null : `the package has no ${wheel.file}`);
    const { requirements } = wheel;
    const attempts = await pipInstall({ requirements, folder, check }, { ...search, env });
    if (attempts === null) return `${folder}/${wheel.file}`;
    throw new ProgramMissing(missingReason(name, `and pip cannot install it: ${attempts[0]}`));
  }
  if (debian !== undefined) {
    try {
      await installDebian({ packages: [debian.package], root: folder }, search.signal);
      return `${folder}/${debian.file}`;
    } catch (error) {
      if (!(error instanceof DebianUnavailable)) throw error;
      throw new ProgramMissing(missingReason(name, `and cannot be unpacked here: ${error.message}`));
    }
  }
  throw new ProgramMissing(missingReason(name));
}

/** The command that starts Python 3. Throws ProgramMissing. */
export function pythonCommand(): readonly string[] {
  const python = PYTHONS.find(([program]) => findOnPath(program) !== undefined);
  if (python === undefined) {
    throw new ProgramMissing("python3 is not installed (Debian, Ubuntu: apt-get install python3)");
  }
  return python;
}
