/**
 * Builds the kernel library when its sources changed. The new library replaces the old one in one step, so
 * that a failed or interrupted build leaves the old one alone and processes that have it open keep it.
 * @module
 */

import { type Platform, platformOf } from "../ffi/platform.ts";
import { BUILD, distFolder, libraryPath, ROOT } from "./paths.ts";
import { capture } from "./process.ts";
import { Progress } from "./progress.ts";
import { ensureZig, ZIG_VERSION } from "./zig.ts";

/** The kernels did not build; the message holds the compiler's output. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}

/** What a build needs, replaceable in tests. */
export interface BuildOptions {
  /** Folder with build.zig. */
  readonly kernels?: string;
  /** Folder for results and caches. */
  readonly build?: string;
  /** Finds the compiler; called only when something has to be built. */
  readonly zig?: () => Promise<string>;
  readonly signal?: AbortSignal;
}

const SKIPPED = new Set([".zig-cache", "zig-cache", "zig-out"]);

// Synchronous: hundreds of files, of which each would be a round of the event loop at every start.
function sourceFiles(folder: string, prefix = ""): string[] {
  const files: string[] = [];
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${prefix}${entry.name}`;
    if (SKIPPED.has(entry.name) || entry.name.startsWith(".")) continue;
    if (entry.isDirectory) files.push(...sourceFiles(`${folder}/${entry.name}`, `${path}/`));
    else if (/\.(zig|zon)$/.test(entry.name)) files.push(path);
  }
  return files.sort();
}

/** What a library depends on beside its sources. */
function target(): string {
  const { os, arch } = Deno.build;
  return `zig ${ZIG_VERSION} ${os} ${arch} ${levelsToBuild().join()}`;
}

async function sha256(parts: readonly (string | Uint8Array)[]): Promise<string> {
  const bytes = await new Blob(parts as BlobPart[]).arrayBuffer();
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** SHA-256 over the names and contents of the Zig sources, the Zig version and the target, as hex. */
export async function sourceHash(kernels: string): Promise<string> {
  const parts: (string | Uint8Array)[] = [`${target()}\0`];
  for (const file of sourceFiles(kernels)) {
    const content = Deno.readFileSync(`${kernels}/${file}`);
    parts.push(`${file}\0${content.length}\0`, content);
  }
  return await sha256(parts);
}

/**
 * The same over their names, sizes and times. Unlike contents it costs a start some 3 ms: sources that look as
 * they did are not read.
 */
async function sourceLook(kernels: string): Promise<string> {
  const looks = sourceFiles(kernels).map((file) => {
    const { size, mtime } = Deno.statSync(`${kernels}/${file}`);
    return `\0${file}\0${size}\0${mtime?.getTime()}`;
  });
  return await sha256([target(), ...looks]);
}

/** The sources that a library was built from. */
interface Stamp {
  readonly hash: string;
  /** How they looked then, or when they were read last. */
  readonly look?: string;
}

/** Undefined where there is no library, or no stamp yet. */
async function readStamp(library: string, stamp: string): Promise<Stamp | undefined> {
  try {
    await Deno.stat(library);
    const [hash, look] = (await Deno.readTextFile(stamp)).trim().split("\n");
    return { hash, look };
  } catch {
    return undefined;
  }
}

async function writeStamp(stamp: string, { hash, look }: Stamp): Promise<void> {
  await Deno.writeTextFile(stamp, `${hash}\n${look}\n`);
}

/** Whether a library is that of these sources. */
async function isCurrent(library: string, stamp: string, kernels: string): Promise<boolean> {
  const [known, look] = [await readStamp(library, stamp), await sourceLook(kernels)];
  if (known === undefined) return false;
  if (known.look === look) return true;
  if (known.hash !== await sourceHash(kernels)) return false;
  await writeStamp(stamp, { ...known, look }).catch(() => {}); // read-only: they are read the next time, too
  return true;
}

/** Waits for the lock that only one build at a time holds; the system frees it when its holder dies. */
async function lockBuild(path: string): Promise<Deno.FsFile> {
  const file = await Deno.open(path, { create: true, write: true });
  if (!await file.tryLock(true)) {
    using progress = new Progress("Waiting for another build of the kernels");
    await file.lock(true);
    progress.end("The other build has ended");
  }
  return file;
}

/** A library that the tasks build, and the step of build.zig that makes it. */
interface Artifact {
  /** Where it lies in the build folder. */
  readonly file: (build: string) => string;
  /** Where `zig build` leaves it under its prefix, if elsewhere. */
  readonly built?: (prefix: string) => string;
  /** Where the hash of the sources lies that it was built from, in the build folder. */
  readonly stamp: string;
  readonly steps: readonly string[];
  readonly title: string;
}

/** For who works on kernels: the only levels to build, so that a build takes a fraction of the time. */
function levelsToBuild(): string[] {
  const names = Deno.env.get("KUMI_BUILD_LEVELS");
  return names ? [`-Dlevels=${names}`] : [];
}

const LIBRARY: Artifact = {
  file: libraryPath,
  stamp: "library.sha256",
  steps: [],
  title: "the kernels",
};

const REFERENCE_LIBRARY: Artifact = {
  file: referenceLibraryPath,
  stamp: "reference.sha256",
  steps: ["lib-reference"],
  title: "the scalar references",
};

const PLAIN_LIBRARY: Artifact = {
  file: (build) => `${build}/lib/libkumi_plain.so`,
  stamp: "plain.sha256",
  steps: ["lib-plain"],
  title: "x86-64-v2 as compilers make it",
};

/** The library for a platform, as {@linkcode ensurePlatformLibrary} builds it. */
function platformArtifact(platform: Platform): Artifact {
  const { id, os, arch, libc, library } = platform;
  const system = os === "darwin" ? "macos" : os;
  return {
    file: (build) => `${distFolder(platform, build)}/${library}`,
    built: (prefix) => `${prefix}/lib/${library}`,
    stamp: `dist/${id}.sha256`,
    steps: ["install", `-Darch=${arch}`, `-Dos=${system}`, `-Dmusl=${libc === "musl"}`],
    title: `the kernels for ${id}`,
  };
}

/** Where the library of scalar references lies under its prefix; for benchmarks alone. */
export function referenceLibraryPath(prefix: string = BUILD): string {
  return `${prefix}/lib/libkumi_reference.so`;
}

async function zigBuild(
  artifact: Artifact,
  zig: string,
  kernels: string,
  build: string,
  signal?: AbortSignal,
) {
  const { title, steps } = artifact;
  const first = await Deno.stat(artifact.file(build)).then(() => false, () => true);
  using progress = new Progress(
    `Building ${title} with Zig ${ZIG_VERSION}${first ? " (the first build takes about two minutes)" : ""}`,
  );
  const command = zigBuildCommand(
    zig,
    [...steps, ...(artifact === LIBRARY ? levelsToBuild() : []), "--prefix", stagingFolder(build)],
    build,
  );
  const result = await capture(command, { cwd: kernels, env: zigEnvironment(build), signal });
  if (result === null) throw new BuildError(`${zig} has gone; repeat the command`);
  if (result.code !== 0) {
    progress.end(`Building ${title}: failed after ${progress.seconds.toFixed(1)} s`);
    throw new BuildError(`zig build failed with status ${result.code}\n${result.stdout}${result.stderr}`);
  }
  progress.end(`Built ${title} in ${progress.seconds.toFixed(1)} s`);
}

function stagingFolder(build: string): string {
  return `${build}/staging`;
}

/** A `zig build` command line: one cache for all of them, inside the build folder. */
export function zigBuildCommand(zig: string, args: readonly string[], build: string = BUILD): string[] {
  return [zig, "build", "--cache-dir", `${build}/zig-cache`, ...args];
}

/**
 * Environment for {@linkcode zigBuildCommand}: Zig's global cache stays in the build folder too, and its
 * build system, which Zig compiles on first use, is compiled without optimisation: 12 s instead of two
 * minutes.
 */
export function zigEnvironment(build: string = BUILD): Record<string, string> {
  return { ZIG_GLOBAL_CACHE_DIR: `${build}/zig-global`, ZIG_DEBUG_CMD: "1" };
}

/**
 * Makes sure that the kernel library is built from the present sources. Resolves to its path.
 * Throws BuildError, ZigError, or the signal's reason.
 */
export async function ensureLibrary(options: BuildOptions = {}): Promise<string> {
  return await ensureArtifact(LIBRARY, options);
}

/** As {@linkcode ensureLibrary}, for the library of scalar references that benchmarks compare with. */
export async function ensureReferenceLibrary(options: BuildOptions = {}): Promise<string> {
  return await ensureArtifact(REFERENCE_LIBRARY, options);
}

/** As {@linkcode ensureLibrary}, for the library without fused products that a benchmark calls SIMD off. */
export async function ensurePlainLibrary(options: BuildOptions = {}): Promise<string> {
  return await ensureArtifact(PLAIN_LIBRARY, options);
}

/**
 * As {@linkcode ensureLibrary}, for any platform, into `dist/<id>/` of the build folder. This machine's own
 * library is the one that the tasks use.
 */
export async function ensurePlatformLibrary(platform: Platform, options: BuildOptions = {}): Promise<string> {
  if (platform.id === platformOf()?.id) return await ensureLibrary(options);
  return await ensureArtifact(platformArtifact(platform), options);
}

async function ensureArtifact(artifact: Artifact, options: BuildOptions): Promise<string> {
  const kernels = options.kernels ?? `${ROOT}/kernels`;
  const build = options.build ?? BUILD;
  const library = artifact.file(build);
  const stamp = `${build}/${artifact.stamp}`;
  if (await isCurrent(library, stamp, kernels)) return library;

  await Deno.mkdir(build, { recursive: true });
  using _lock = await lockBuild(`${build}/library.lock`);
  if (await isCurrent(library, stamp, kernels)) return library;
  // The look first: what changes in between is read the next time.
  const look = await sourceLook(kernels);
  const hash = await sourceHash(kernels);

  const zig = await (options.zig ?? (() => ensureZig({ signal: options.signal })))();
  const staging = stagingFolder(build);
  await Deno.remove(staging, { recursive: true }).catch(() => {});
  try {
    await zigBuild(artifact, zig, kernels, build, options.signal);
    const built = (artifact.built ?? artifact.file)(staging);
    if (!await Deno.stat(built).then(() => true, () => false)) {
      throw new BuildError(`zig build succeeded but left no ${built}`);
    }
    await Deno.mkdir(library.replace(/[^/]*$/, ""), { recursive: true });
    await Deno.rename(built, library);
    await writeStamp(stamp, { hash, look });
  } finally {
    await Deno.remove(staging, { recursive: true }).catch(() => {});
  }
  return library;
}
