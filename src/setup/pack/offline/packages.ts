/** The packages of npm that kumi needs where it runs, as the lock file beside this one names them. @module */

import { capture } from "../../../process/capture.ts";
import { ROOT } from "../../paths.ts";

/** What others wrote and an archive has. */
export interface ShippedPackage {
  readonly name: string;
  readonly version: string;
  /** As its package names it: an SPDX expression, or where to read it. */
  readonly licence: string;
  /** Subresource Integrity of the package that was fetched: `sha512-…`; undefined for what was not. */
  readonly integrity?: string;
  /** Address in the manner of package URLs, where it is no package of npm. */
  readonly purl?: string;
  /** Files with the licence's text, below the archive's folder. */
  readonly licenceFiles: readonly string[];
}

/** An entry of a lock file of npm, version 3. */
interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
}

/** Versions and SHA-512 of all packages, without the addresses of a registry: npm asks the one that is configured. */
export const LOCK = `${ROOT}/src/setup/pack/offline/package-lock.json`;
const NPM = Deno.build.os === "windows" ? "npm.cmd" : "npm";

/** The lock's packages by their places, the root left out. */
export async function lockedPackages(): Promise<ReadonlyMap<string, Locked>> {
  const { packages } = JSON.parse(await Deno.readTextFile(LOCK)) as { packages: Record<string, Locked> };
  return new Map(Object.entries(packages).filter(([place]) => place !== ""));
}

/**
 * Installs the locked packages into `folder`, whose `package.json` wants them. npm refuses one whose SHA-512 is another, and runs
 * no script of any. Throws an Error with npm's words.
 */
export async function installPackages(folder: string, signal?: AbortSignal): Promise<ShippedPackage[]> {
  const manifest = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
  // The libraries of platforms are no packages of a registry here.
  const { optionalDependencies: _, ...wanted } = manifest;
  await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify(wanted, null, 2) + "\n");
  await Deno.copyFile(LOCK, `${folder}/package-lock.json`);
  const command = [
    NPM,
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--omit=dev",
    "--prefix",
    folder,
  ];
  const done = await capture(command, { signal });
  if (done === null) throw new Error("npm, which fetches packages, is not there");
  if (done.code !== 0) throw new Error(`npm could not fetch the packages: ${done.stderr.trim()}`);
  await Deno.remove(`${folder}/package-lock.json`);
  const shipped: ShippedPackage[] = [];
  for (const [place, { version, integrity }] of await lockedPackages()) {
    const own = JSON.parse(await Deno.readTextFile(`${folder}/${place}/package.json`));
    if (own.version !== version) throw new Error(`${own.name} is ${own.version}, not ${version} as locked`);
    shipped.push({
      name: own.name,
      version: own.version,
      licence: licenceOf(own),
      integrity,
      licenceFiles: await licenceFiles(folder, place),
    });
  }
  return shipped;
}

function licenceOf(manifest: { license?: unknown; licenses?: unknown }): string {
  const { license, licenses } = manifest;
  if (typeof license === "string") return license;
  const old = (license ?? (Array.isArray(licenses) ? licenses[0] : undefined)) as
    | { type?: string }
    | undefined;
  return old?.type ?? "unknown";
}

async function licenceFiles(folder: string, place: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isFile } of Deno.readDir(`${folder}/${place}`)) {
    if (isFile && /^(licen[cs]e|copying|notice)/i.test(name)) found.push(`app/${place}/${name}`);
  }
  return found.sort();
}
