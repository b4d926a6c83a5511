/**
 * Puts Bochs 3.0, as Debian trixie packages it, into a folder of its own, with the C library that it needs. Nothing of the
 * system changes: apt works with lists and a cache in that folder, and nothing is configured.
 * @module
 */

import { BUILD } from "../../src/setup/paths.ts";
import { capture } from "../../src/setup/process.ts";
import { bochsCommand } from "./bochs.ts";
import { weaken } from "./weaken_elf.ts";

const RELEASE = "trixie";
const PACKAGES = ["bochs", "libc6", "libstdc++6", "libgcc-s1", "libltdl7"];
/** What those packages hold; the rest of what Bochs is linked to draws windows and plays sounds. */
const LIBRARIES = new Set(["libltdl.so.7", "libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6"]);
/** Called at every start, to convert sounds between sample rates. */
const CALLED = new Set(["src_new", "src_process", "src_delete", "src_strerror"]);
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const TIMEOUT_MS = 6 * 60 * 1000;

/** Why Bochs cannot be had on this machine, as a sentence. */
export class BochsUnavailable extends Error {
  override readonly name = "BochsUnavailable";
}

/** For x86-64 Linux. Resolves to the root of the unpacked packages. Throws BochsUnavailable, or the signal's reason. */
export async function installBochs(signal?: AbortSignal, folder = `${BUILD}/bochs`): Promise<string> {
  const root = `${folder}/root`;
  if (await exists(root)) return root;
  if (!await exists(KEYRING)) throw new BochsUnavailable("apt has no keys of Debian's archive");
  const staging = `${folder}/staging-${Deno.pid}`;
  const stopped = AbortSignal.timeout(TIMEOUT_MS);
  try {
    await unpack(staging, signal ? AbortSignal.any([signal, stopped]) : stopped);
    await Deno.rename(`${staging}/root`, root).catch(async (error) => {
      if (!await exists(root)) throw error; // another process was quicker
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (stopped.aborted) throw new BochsUnavailable(`no answer of apt within ${TIMEOUT_MS / 60_000} minutes`);
    throw error;
  } finally {
    await Deno.remove(staging, { recursive: true }).catch(() => {});
  }
  return root;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function run(
  command: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; signal: AbortSignal },
): Promise<string> {
  const result = await capture(command, options);
  if (result === null) throw new BochsUnavailable(`${command[0]} is not installed`);
  if (result.code === 0) return result.stdout;
  const reason = result.stderr.trim().split("\n").at(-1);
  throw new BochsUnavailable(`${command.slice(0, 3).join(" ")} failed: ${reason}`);
}

/** The archive that this machine uses already, or Debian's own. */
async function archive(signal: AbortSignal): Promise<string> {
  const format = "$(REPO_URI) $(ORIGIN) $(CODENAME)";
  const targets = await run(["apt-get", "indextargets", "--format", format, "Created-By: Packages"], {
    signal,
  });
  const lines = targets.split("\n").map((line) => line.split(" "));
  const found = lines.find(([, origin, codename]) =>
    origin === "Debian" && !/security|updates|backports/.test(codename)
  );
  return found?.[0] ?? "http://deb.debian.org/debian";
}

async function unpack(folder: string, signal: AbortSignal): Promise<void> {
  const apt = `${folder}/apt`;
  for (const path of ["state/lists/partial", "cache/archives/partial", "parts"]) {
    await Deno.mkdir(`${apt}/${path}`, { recursive: true });
  }
  await Deno.writeTextFile(`${apt}/status`, "");
  const source = `deb [signed-by=${KEYRING}] ${await archive(signal)} ${RELEASE} main\n`;
  await Deno.writeTextFile(`${apt}/sources.list`, source);
  const settings: Record<string, string> = {
    "Dir::State": `${apt}/state`,
    "Dir::State::status": `${apt}/status`,
    "Dir::Cache": `${apt}/cache`,
    "Dir::Etc::sourcelist": `${apt}/sources.list`,
    "Dir::Etc::sourceparts": `${apt}/parts`,
    "Dir::Etc::preferencesparts": `${apt}/parts`,
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
  await Deno.writeTextFile(`${apt}/apt.conf`, lines.join(""));
  const options = { cwd: apt, env: { APT_CONFIG: `${apt}/apt.conf` }, signal };
  await run(["apt-get", "-qq", "update"], options);
  await run(["apt-get", "-qq", "download", ...PACKAGES], options);
  for await (const { name } of Deno.readDir(apt)) {
    if (name.endsWith(".deb")) await run(["dpkg-deb", "-x", `${apt}/${name}`, `${folder}/root`], { signal });
  }
  const program = `${folder}/root/usr/bin/bochs-bin`;
  const file = await Deno.readFile(program);
  weaken(file, LIBRARIES, CALLED);
  await Deno.writeFile(program, file, { mode: 0o755 });
  const { command, env } = bochsCommand(`${folder}/root`);
  await run([...command, "--help", "cpu"], { env, signal });
}
