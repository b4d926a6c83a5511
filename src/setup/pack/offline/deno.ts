/** Deno for a platform: this one's is the program that runs; others come from npm. @module */

import type { Platform } from "../../../ffi/platform.ts";
import { platformOf } from "../../../ffi/platform.ts";
import { capture } from "../../../process/capture.ts";
import type { ShippedPackage } from "./packages.ts";

/** Packages of npm that have Deno's program. */
const PACKAGES: Readonly<Record<string, string>> = {
  "linux-x64-gnu": "@deno/linux-x64-glibc",
  "linux-arm64-gnu": "@deno/linux-arm64-glibc",
  "darwin-arm64": "@deno/darwin-arm64",
  "darwin-x64": "@deno/darwin-x64",
  "windows-x64": "@deno/win32-x64",
};

const NPM = Deno.build.os === "windows" ? "npm.cmd" : "npm";

/** Writes `deno`, or `deno.exe`, into `folder`. Throws a RangeError where npm has no Deno for the platform. */
export async function placeDeno(
  platform: Platform,
  folder: string,
  signal?: AbortSignal,
): Promise<ShippedPackage> {
  const program = platform.os === "windows" ? "deno.exe" : "deno";
  const about = { name: "deno", version: Deno.version.deno, licence: "MIT", licenceFiles: [] };
  if (platform.id === platformOf()?.id) {
    await Deno.copyFile(Deno.execPath(), `${folder}/${program}`);
    await Deno.chmod(`${folder}/${program}`, 0o755).catch(() => {}); // Windows has no such modes
    return about;
  }
  const name = PACKAGES[platform.id];
  if (name === undefined) throw new RangeError(`npm has no Deno for ${platform.id}: pack there`);
  const staging = await Deno.makeTempDir({ prefix: "kumi-deno-" });
  try {
    const wanted = `${name}@${Deno.version.deno}`;
    // As if the machine were that one: npm refuses packages of others.
    const command = [NPM, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--force"];
    const done = await capture([...command, "--prefix", staging, wanted], { signal });
    if (done === null) throw new Error("npm, which fetches Deno, is not there");
    if (done.code !== 0) throw new Error(`npm could not fetch ${wanted}: ${done.stderr.trim()}`);
    await Deno.copyFile(`${staging}/node_modules/${name}/${program}`, `${folder}/${program}`);
    if (Deno.build.os !== "windows") await Deno.chmod(`${folder}/${program}`, 0o755);
    const lock = JSON.parse(await Deno.readTextFile(`${staging}/node_modules/.package-lock.json`));
    return { ...about, integrity: lock.packages[`node_modules/${name}`]?.integrity };
  } finally {
    await Deno.remove(staging, { recursive: true });
  }
}
