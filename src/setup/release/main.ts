/**
 * `deno task release --dry-run`: makes and checks all that a release consists of, and says what is left for a person to do.
 * Publishes nothing.
 * @module
 */

import { platformOf, PLATFORMS } from "../../ffi/platform.ts";
import { VERSION } from "../../protocol/version.ts";
import { buildAll } from "../build_all.ts";
import { packJsr } from "../pack/jsr.ts";
import { type Manifest, packNpm } from "../pack/npm.ts";
import { packOffline } from "../pack/offline/archive.ts";
import { sha256Of } from "../pack/offline/checksums.ts";
import { ensurePlatformLibrary } from "../build.ts";
import { BUILD, ROOT } from "../paths.ts";
import { capture, Interruption } from "../process.ts";
import { note } from "../progress.ts";
import { changesOf, type Finding, versionFindings } from "./checks.ts";

const HELP = `usage: deno task release --dry-run [--this-platform] [--out FOLDER]

Builds the libraries of all platforms, packs for npm, JSR and machines without the internet, checks versions, the change log,
licences and the working tree, and writes checksums and a list of what a person has to do.

  --dry-run        publish nothing: there is no other way yet
  --this-platform  only this machine's library and archive, to try it
  --out FOLDER     instead of .build/release`;

/** Archives are made for platforms for which npm has Deno. */
const ARCHIVED = new Set(["linux-x64-gnu", "linux-arm64-gnu", "darwin-arm64", "darwin-x64", "windows-x64"]);

interface Options {
  readonly isThisPlatformAlone: boolean;
  readonly out: string;
}

function parseOptions(args: readonly string[]): Options | null {
  if (args.includes("--help") || args.includes("-h")) return null;
  let out = `${BUILD}/release`, isDry = false, isThisPlatformAlone = false;
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--dry-run") isDry = true;
    else if (args[i] === "--this-platform") isThisPlatformAlone = true;
    else if (args[i] === "--out" && i + 1 < args.length) out = args[++i];
    else throw new RangeError(`no option is called ${args[i]}\n${HELP}`);
  }
  if (!isDry) throw new RangeError(`a release is published by a person: give --dry-run\n${HELP}`);
  return { isThisPlatformAlone, out };
}

async function treeFindings(): Promise<Finding[]> {
  const done = await capture(["git", "status", "--porcelain"], { cwd: ROOT });
  if (done === null || done.code !== 0) return [{ ok: false, text: "this is no checkout of git" }];
  const changed = done.stdout.split("\n").filter((line) => line !== "").length;
  return [{
    ok: changed === 0,
    text: changed === 0 ? "nothing is uncommitted" : `${changed} files are uncommitted`,
  }];
}

/** Makes all files; resolves to the archives. */
async function make(
  { isThisPlatformAlone, out }: Options,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<string[]> {
  const own = platformOf();
  const platforms = PLATFORMS.filter(({ id }) => !isThisPlatformAlone || id === own?.id);
  if (!isThisPlatformAlone && !await buildAll({ signal })) {
    throw new Error("not every library is as it must be");
  }
  const built = [];
  for (const platform of platforms) {
    built.push({ platform, file: await ensurePlatformLibrary(platform, { signal }) });
  }
  await packNpm(`${out}/npm`, manifest, built);
  await packJsr(`${out}/jsr`, manifest);
  const archives: string[] = [];
  for (const { id } of platforms.filter((each) => ARCHIVED.has(each.id))) {
    const { file, folder } = await packOffline({ platform: id, out, signal });
    await Deno.rename(`${folder}/sbom.cdx.json`, `${file}.sbom.cdx.json`);
    await Deno.remove(folder, { recursive: true });
    archives.push(file);
  }
  const sums = await Promise.all(
    archives.map(async (file) => `${await sha256Of(file)}  ${file.split(/[\\/]/).at(-1)}`),
  );
  await Deno.writeTextFile(`${out}/SHA256SUMS`, sums.join("\n") + "\n");
  return archives;
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === null) {
    console.log(HELP);
    return 0;
  }
  using interruption = new Interruption();
  const manifest: Manifest = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  const changes = await Deno.readTextFile(`${ROOT}/CHANGELOG.md`);
  const findings = [...versionFindings(manifest.version, VERSION, changes), ...await treeFindings()];
  await Deno.remove(options.out, { recursive: true }).catch(() => {});
  await Deno.mkdir(options.out, { recursive: true });
  const archives = await make(options, manifest, interruption.signal);
  note(`written to ${options.out}`);
  for (const { ok, text } of findings) console.log(`${ok ? "[x]" : "[ ]"} ${text}`);
  console.log(
    `[x] libraries, packages of npm and JSR, archives (${archives.length}) with licences, bills of materials, checksums
[ ] deno task test has passed on this commit, in CI
[ ] the figures in README.md and docs/figures.md are of this version
[ ] an archive was tried on a machine of each system
[ ] the tag v${manifest.version}, signed; its text:

${changesOf(manifest.version, changes)}

[ ] npm publish --access public, for each folder of ${options.out}/npm, kumi last
[ ] cd ${options.out}/jsr && deno publish
[ ] the archives, SHA256SUMS and bills of materials beside the tag
[ ] deno task pack --image, for linux-x64-gnu and linux-arm64-gnu, into the registry of images`,
  );
  return findings.every(({ ok }) => ok) ? 0 : 1;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    note(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
