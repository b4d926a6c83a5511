/**
 * Packages of PyPI, fetched with the pip of this machine, which knows the index, the proxy and the certificates that its network wants.
 * Nothing of a package is installed or run.
 * @module
 */

import { capture } from "../process/capture.ts";
import { lastWords, PYTHONS } from "../process/python.ts";
import { makeFolder } from "./download.ts";
import { HubError } from "./error.ts";
import type { Wheel } from "./named_models.ts";

const POLL_MS = 200;

/** How to fetch packages. */
export interface WheelOptions {
  readonly signal: AbortSignal;
  /** Commands tried as Python 3. */
  readonly pythons?: readonly (readonly string[])[];
  /** Bytes of this package so far. */
  readonly onBytes?: (bytes: number) => void;
}

/** What pip says, and what that is called. */
const FAULTS = [
  [/no space left|errno 28\b|disk quota/i, "disk", "the disk is full"],
  [
    /NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Max retries exceeded|connection broken/i,
    "network",
    "the package index cannot be reached",
  ],
  [/no matching distribution/i, "not-found", "the package index that it uses does not have it"],
] as const;

/** Path of a package in a folder where an earlier attempt may have left it; undefined where it is not there, or not whole. */
export async function findWheel(wheel: Wheel, folder: string): Promise<string | undefined> {
  const start = `${wheel.package.replaceAll("-", "_")}-${wheel.version}-`;
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (!isFile || !name.startsWith(start) || !name.endsWith(".whl")) continue;
      const path = `${folder}/${name}`;
      if ((await Deno.stat(path)).size === wheel.bytes) return path;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return undefined;
}

/**
 * Path of a package in `folder`, fetched by pip when it is not there. What pip writes on its way goes to `scratch`, which is empty again
 * afterwards. Throws HubError, or the signal's reason: then pip is ended.
 */
export async function fetchWheel(
  wheel: Wheel,
  { folder, scratch }: { readonly folder: string; readonly scratch: string },
  options: WheelOptions,
): Promise<string> {
  const there = await findWheel(wheel, folder);
  if (there !== undefined) return there;
  await removeFolder(scratch);
  await makeFolder(folder);
  await makeFolder(scratch);
  let most = 0;
  let isDone = false;
  const watch = setInterval(async () => {
    const bytes = Math.min(wheel.bytes, await bytesIn(scratch));
    // pip empties the folder in the end, perhaps while this looked.
    if (isDone || bytes <= most) return;
    most = bytes;
    options.onBytes?.(bytes);
  }, POLL_MS);
  try {
    await download(wheel, { folder, scratch }, options);
  } finally {
    isDone = true;
    clearInterval(watch);
    await removeFolder(scratch);
  }
  const path = await findWheel(wheel, folder);
  if (path !== undefined) return path;
  await removeFolder(folder);
  throw new HubError("mismatch", `pip fetched another file than ${named(wheel)} of ${wheel.bytes} bytes`);
}

async function download(
  wheel: Wheel,
  { folder, scratch }: { readonly folder: string; readonly scratch: string },
  { signal, pythons = PYTHONS }: WheelOptions,
): Promise<void> {
  const attempts: string[] = [];
  for (const python of pythons) {
    const pip = [...python, "-m", "pip"];
    // A second copy in pip's own cache would be of no use to anybody.
    const how = [
      "download",
      "--no-deps",
      "--only-binary=:all:",
      "--no-cache-dir",
      "--progress-bar",
      "off",
      "-d",
      folder,
    ];
    const env = {
      TMPDIR: scratch,
      TEMP: scratch,
      TMP: scratch,
      PIP_DISABLE_PIP_VERSION_CHECK: "1",
      PIP_NO_INPUT: "1",
      PIP_REQUIRE_VIRTUALENV: "0",
    };
    const result = await run([...pip, ...how, named(wheel)], env, signal);
    if (typeof result === "string") {
      attempts.push(`${python.join(" ")} ${result}`);
      continue;
    }
    if (result.code === 0) return;
    const said = `${result.stdout}\n${result.stderr}`;
    if (/no module named pip\b/i.test(said)) {
      attempts.push(`${python.join(" ")} has no pip`);
      continue;
    }
    const [, kind, name] = FAULTS.find(([pattern]) => pattern.test(said)) ??
      [null, "server", "it says"] as const;
    throw new HubError(
      kind,
      `${pip.join(" ")} cannot fetch ${named(wheel)}: ${name} (${lastWords(result.stderr || result.stdout)})`,
    );
  }
  throw new HubError(
    "program",
    `fetching ${named(wheel)} takes python3 with pip: ${
      attempts.join(", ")
    } (Debian, Ubuntu: apt-get install python3-pip)`,
  );
}

/** Runs a command; a string says why it could not be started. */
async function run(command: string[], env: Record<string, string>, signal: AbortSignal) {
  try {
    return await capture(command, { env, signal }) ?? "is not installed";
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Deno.errors.NotCapable) {
      return `is not installed, or may not be run (--allow-run=${command[0]})`;
    }
    throw error;
  }
}

function named(wheel: Wheel): string {
  return `${wheel.package}==${wheel.version}`;
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = `${folder}/${name}`;
      bytes += isDirectory ? await bytesIn(path) : (await Deno.stat(path)).size;
    }
  } catch {
    // pip has just moved or removed it
  }
  return bytes;
}

/** Removes a folder where it is there. */
export async function removeFolder(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
