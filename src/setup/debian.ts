/**
 * Packages of Debian's archive, unpacked into a folder of the checkout. Nothing of the system changes and
 * nobody needs to be root: apt works with lists and a cache in that folder, and nothing is configured.
 * @module
 */

import { findOnPath } from "../process/path_search.ts";
import { capture, type CaptureOptions } from "./process.ts";

/** The release of Debian that packages are of. */
export const RELEASE = "trixie";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const TIMEOUT_MS = 6 * 60 * 1000;

/** Why packages of Debian cannot be had on this machine, as a sentence. */
export class DebianUnavailable extends Error {
  override readonly name = "DebianUnavailable";
}

/** What to unpack, and where. */
export interface DebianInstall {
  readonly packages: readonly string[];
  /** Root of the unpacked packages; one that is there already is taken as it is. */
  readonly root: string;
  /** As Debian names it (`arm64`); default: this machine's. */
  readonly architecture?: string;
  /** Changes what was unpacked before it counts as installed. */
  prepare?(root: string, signal: AbortSignal): Promise<void>;
}

/** Unpacks packages once. Throws DebianUnavailable, or the signal's reason. */
export async function installDebian(install: DebianInstall, signal?: AbortSignal): Promise<void> {
  const { root } = install;
  if (await exists(root)) return;
  for (const program of ["apt-get", "dpkg-deb"]) {
    if (findOnPath(program) === undefined) throw new DebianUnavailable(`${program} is not installed`);
  }
  if (!await exists(KEYRING)) throw new DebianUnavailable("apt has no keys of Debian's archive");
  const staging = `${root}.${Deno.pid}.part`;
  const stopped = AbortSignal.timeout(TIMEOUT_MS);
  try {
    await unpack(install, staging, signal ? AbortSignal.any([signal, stopped]) : stopped);
    await Deno.rename(`${staging}/root`, root).catch(async (error) => {
      if (!await exists(root)) throw error; // another process was quicker
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (stopped.aborted) {
      throw new DebianUnavailable(`no answer of apt within ${TIMEOUT_MS / 60_000} minutes`);
    }
    throw error;
  } finally {
    await Deno.remove(staging, { recursive: true }).catch(() => {});
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Runs a program and gives what it printed. Throws DebianUnavailable where it is not there or fails. */
export async function runOrUnavailable(command: readonly string[], options: CaptureOptions): Promise<string> {
  const result = await capture(command, options);
  if (result === null) throw new DebianUnavailable(`${command[0]} is not installed`);
  if (result.code === 0) return result.stdout;
  const reason = result.stderr.trim().split("\n").at(-1);
  throw new DebianUnavailable(`${command.slice(0, 3).join(" ")} failed: ${reason}`);
}

/**
 * Lines for apt's sources: the archives that this machine uses already, of {@linkcode RELEASE}, with what was mended since where
 * it uses that, too. Throws DebianUnavailable where it uses none of Debian.
 */
async function sources(signal: AbortSignal): Promise<string> {
  const format = "$(REPO_URI) $(ORIGIN) $(CODENAME)";
  const command = ["apt-get", "indextargets", "--format", format, "Created-By: Packages"];
  const targets = await runOrUnavailable(command, { signal });
  const lines = targets.split("\n").map((line) => line.split(" "));
  const line = (suite: string, isWanted: (codename: string) => boolean) => {
    const found = lines.find(([, origin, codename]) => origin === "Debian" && isWanted(codename));
    return found && `deb [signed-by=${KEYRING}] ${found[0]} ${suite} main\n`;
  };
  const main = line(RELEASE, (codename) => !/security|updates|backports/.test(codename));
  if (main === undefined) throw new DebianUnavailable("apt knows no archive of Debian");
  return main + (line(`${RELEASE}-security`, (codename) => codename.endsWith("-security")) ?? "");
}

async function unpack(install: DebianInstall, folder: string, signal: AbortSignal): Promise<void> {
  const apt = `${folder}/apt`;
  for (const path of ["state/lists/partial", "cache/archives/partial", "parts"]) {
    await Deno.mkdir(`${apt}/${path}`, { recursive: true });
  }
  await Deno.writeTextFile(`${apt}/status`, "");
  await Deno.writeTextFile(`${apt}/sources.list`, await sources(signal));
  const settings: Record<string, string> = {
    "Dir::State": `${apt}/state`,
    "Dir::State::status": `${apt}/status`,
    "Dir::Cache": `${apt}/cache`,
    "Dir::Etc::sourcelist": `${apt}/sources.list`,
    "Dir::Etc::sourceparts": `${apt}/parts`,
    "Dir::Etc::preferencesparts": `${apt}/parts`,
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
    ...install.architecture === undefined ? {} : {
      "APT::Architecture": install.architecture,
      "APT::Architectures": install.architecture,
    },
    // apt drops root's rights for another user's, who may not write here.
    ...Deno.uid() === 0 ? { "APT::Sandbox::User": "root" } : {},
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
  await Deno.writeTextFile(`${apt}/apt.conf`, lines.join(""));
  const options = { cwd: apt, env: { APT_CONFIG: `${apt}/apt.conf` }, signal };
  await runOrUnavailable(["apt-get", "-qq", "update"], options);
  await runOrUnavailable(["apt-get", "-qq", "download", ...install.packages], options);
  for await (const { name } of Deno.readDir(apt)) {
    if (!name.endsWith(".deb")) continue;
    await runOrUnavailable(["dpkg-deb", "-x", `${apt}/${name}`, `${folder}/root`], { signal });
    await record(`${apt}/${name}`, `${folder}/root`, signal);
  }
  await install.prepare?.(`${folder}/root`, signal);
}

/** Where a root says what it is made of: a file a package, in which those who look for known faults look. */
export const STATUS = "var/lib/dpkg/status.d";

async function record(file: string, root: string, signal: AbortSignal): Promise<void> {
  const control = await runOrUnavailable(["dpkg-deb", "--field", file], { signal });
  const [, name] = /^Package: (\S+)$/m.exec(control)!;
  await Deno.mkdir(`${root}/${STATUS}`, { recursive: true });
  await Deno.writeTextFile(`${root}/${STATUS}/${name}`, control);
}
