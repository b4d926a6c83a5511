/** `deno task pack --offline`: one archive with all that kumi needs on a machine without the internet. @module */

import { type Platform, platformOf, PLATFORMS } from "../../../ffi/platform.ts";
import { resolveModelFile } from "../../../cli/model_option.ts";
import { capture } from "../../../process/capture.ts";
import { PYTHONS } from "../../../process/python.ts";
import { ensurePlatformLibrary } from "../../build.ts";
import { ROOT } from "../../paths.ts";
import { note } from "../../progress.ts";
import { copyPages, type Manifest, packNpm, platformPackage } from "../npm.ts";
import { writeChecksums } from "./checksums.ts";
import { placeDeno } from "./deno.ts";
import { writeLaunchers } from "./launchers.ts";
import { writeLicences } from "./licences.ts";
import { installPackages, type ShippedPackage } from "./packages.ts";
import { writeSbom } from "./sbom.ts";

/** What is to be packed. */
export interface PackOptions {
  /** Id of a platform; default: this machine's. */
  readonly platform?: string;
  /** A model to pack, too: a path or a name, as for `--model`. */
  readonly model?: string;
  /** Folder of the archive. */
  readonly out: string;
  readonly signal?: AbortSignal;
}

/** A folder with all that kumi needs to run on a platform. */
export interface Assembled {
  /** `<out>/<name>`. */
  readonly folder: string;
  /** `kumi-<version>-<platform>`. */
  readonly name: string;
  readonly platform: Platform;
  readonly manifest: Manifest;
  /** Path of a packed model below the folder. */
  readonly model?: string;
  readonly packages: readonly ShippedPackage[];
}

/** An archive that is there; its folder is what it was made of. */
export interface OfflineArchive extends Assembled {
  readonly file: string;
}

/**
 * Writes `<out>/kumi-<version>-<platform>.tar.gz` (`.zip` for Windows). Throws a RangeError for a platform that is none, an
 * Error that says what could not be fetched or built.
 */
export async function packOffline(options: PackOptions): Promise<OfflineArchive> {
  const assembled = await assemble(options);
  note(`packing ${assembled.name}: the archive`);
  return { ...assembled, file: await compress(options.out, assembled, options.signal) };
}

/** Puts everything into a folder. Throws as {@linkcode packOffline} does. */
export async function assemble(options: PackOptions): Promise<Assembled> {
  const { signal, out } = options;
  const platform = choosePlatform(options.platform);
  const manifest: Manifest = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  const name = `kumi-${manifest.version}-${platform.id}`;
  const folder = `${out}/${name}`;
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(`${folder}/bin`, { recursive: true });
  note(`packing ${name}: the library`);
  const file = await ensurePlatformLibrary(platform, { signal });
  const staging = `${out}/${name}.npm`;
  await packNpm(staging, manifest, [{ platform, file }]);
  await Deno.rename(`${staging}/kumi`, `${folder}/app`);
  note(`packing ${name}: packages of npm`);
  const packages = await installPackages(`${folder}/app`, signal);
  await Deno.mkdir(`${folder}/app/node_modules/@kumi`, { recursive: true });
  const own = platformPackage(manifest, platform);
  await Deno.rename(`${staging}/kumi-${platform.id}`, `${folder}/app/node_modules/${own}`);
  await Deno.remove(staging, { recursive: true });
  note(`packing ${name}: Deno`);
  const deno = await placeDeno(platform, `${folder}/bin`, signal);
  const model = options.model === undefined ? undefined : await placeModel(options.model, folder);
  await copyPages(folder);
  await Deno.copyFile(`${ROOT}/LICENSE`, `${folder}/LICENSE`);
  await copyFolder(`${ROOT}/deploy`, `${folder}/deploy`);
  await writeLaunchers(folder, platform, { version: manifest.version, model });
  const shipped = [...packages, deno];
  await writeLicences(folder, shipped);
  await writeSbom(`${folder}/sbom.cdx.json`, manifest, platform, shipped);
  await writeChecksums(folder);
  return { folder, name, platform, manifest, model, packages: shipped };
}

/** The platform with an id, or this machine's. Throws a RangeError. */
export function choosePlatform(id: string | undefined): Platform {
  const platform = id === undefined ? platformOf() : PLATFORMS.find((each) => each.id === id);
  if (platform !== undefined) return platform;
  const known = PLATFORMS.map((each) => each.id).join(", ");
  throw new RangeError(`there is no platform ${id ?? Deno.build.target}: ${known}`);
}

/** Copies a model, or fetches it first; resolves to its path in the archive. */
async function placeModel(asked: string, folder: string): Promise<string> {
  const path = await resolveModelFile(asked);
  const { isDirectory } = await Deno.stat(path);
  if (isDirectory) {
    throw new RangeError(`${asked} is a folder: pack a GGUF file, which kumi convert makes of it`);
  }
  const name = path.split(/[\\/]/).at(-1)!;
  await Deno.mkdir(`${folder}/models`, { recursive: true });
  await Deno.copyFile(path, `${folder}/models/${name}`);
  return `models/${name}`;
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** Python writes both forms everywhere. Names are relative to the folder that the archive unpacks to. */
const COMPRESS = `import shutil, sys
print(shutil.make_archive(sys.argv[1] + "/" + sys.argv[2] + ".part", sys.argv[3], sys.argv[1], sys.argv[2]))`;

async function compress(
  out: string,
  { name, platform }: Assembled,
  signal: AbortSignal | undefined,
): Promise<string> {
  const format = platform.os === "windows" ? "zip" : "gztar";
  const clear = () => removeParts(out, `${name}.part.`);
  for (const python of PYTHONS) {
    const done = await capture([...python, "-c", COMPRESS, out, name, format], { signal }).catch((error) => {
      clear();
      throw error;
    });
    if (done === null) continue;
    if (done.code !== 0) {
      clear();
      throw new Error(`the archive could not be written: ${done.stderr.trim()}`);
    }
    // One that is cut off has no name of a whole one.
    const part = done.stdout.trim(), file = part.replace(/\.part(\.(?:tar\.gz|zip))$/, "$1");
    await Deno.rename(part, file);
    return file;
  }
  throw new Error("python3, which writes the archive, is not there");
}

function removeParts(folder: string, beginning: string): void {
  for (const { name } of Deno.readDirSync(folder)) {
    if (name.startsWith(beginning)) Deno.removeSync(`${folder}/${name}`);
  }
}
