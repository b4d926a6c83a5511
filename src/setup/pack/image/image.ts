/** `deno task pack --image`: an image of a container, its root filesystem made from nothing. @module */

import type { Platform } from "../../../ffi/platform.ts";
import { DebianUnavailable } from "../../debian.ts";
import { note } from "../../progress.ts";
import { assemble, type Assembled, choosePlatform, type PackOptions } from "../offline/archive.ts";
import { FLAGS, PROGRAM } from "../offline/launchers.ts";
import type { ShippedPackage } from "../offline/packages.ts";
import { writeSbom } from "../offline/sbom.ts";
import { type ImageFacts, type Layer, writeImage } from "./layout.ts";
import { makeSystem, USER } from "./system.ts";

/** An image that is there. */
export interface Image {
  /** A tar in OCI's layout. */
  readonly file: string;
  /** Name and tag. */
  readonly reference: string;
  readonly packages: readonly ShippedPackage[];
}

/** Where kumi lies in the image. */
const HOME = "opt/kumi";
/** As Debian and Go name architectures. */
const ARCHITECTURES: Readonly<Record<Platform["arch"], string>> = { x86_64: "amd64", aarch64: "arm64" };

/**
 * Writes `<out>/kumi-<version>-<platform>.oci.tar` and its bill of materials beside it. Needs apt and dpkg, and nobody has to be
 * root. Throws a RangeError for a platform of which there are no images or a machine without Debian's tools, an Error that says
 * what could not be fetched or built.
 */
export async function packImage(options: PackOptions): Promise<Image> {
  const { out, signal } = options;
  const platform = choosePlatform(options.platform);
  if (platform.libc !== "glibc") throw new RangeError(`there are no images for ${platform.id}`);
  const staging = `${out}/image.${Deno.pid}.part`;
  const folder = `${staging}/kumi/${HOME}`;
  try {
    await Deno.mkdir(`${staging}/kumi/opt`, { recursive: true });
    note("packing an image: the system, of Debian");
    const system = await makeSystem(`${staging}/system`, ARCHITECTURES[platform.arch], signal);
    const assembled = await assemble({ ...options, out: staging });
    await Deno.rename(assembled.folder, folder);
    const { manifest, name } = assembled;
    const file = `${out}/${name}.oci.tar`, packages = [...assembled.packages, ...system];
    const facts = factsOf(assembled);
    note(`packing ${name}: the image`);
    await writeImage(file, `${staging}/layout`, layersOf(staging, assembled), facts, signal);
    await writeSbom(`${file}.sbom.cdx.json`, manifest, platform, packages);
    return { file, reference: facts.reference, packages };
  } catch (error) {
    if (!(error instanceof DebianUnavailable)) throw error;
    throw new RangeError(`no image can be made here: ${error.message}`);
  } finally {
    await Deno.remove(staging, { recursive: true }).catch(() => {});
  }
}

/** What changes seldom first: whoever has an older image fetches the rest alone. */
function layersOf(staging: string, { model }: Assembled): Layer[] {
  const kumi = `${staging}/kumi`;
  const names = (path: string) => Array.from(Deno.readDirSync(path), ({ name }) => name).sort();
  const own = names(`${kumi}/${HOME}`).filter((name) => name !== "models" && name !== "bin");
  const of = (folder: string, entries: readonly string[], comment: string, isCompressed = true) => ({
    folder,
    entries,
    comment,
    isCompressed,
  });
  return [
    of(`${staging}/system`, names(`${staging}/system`), "the system"),
    of(kumi, [`${HOME}/bin`], "Deno"),
    ...model === undefined ? [] : [of(kumi, [`${HOME}/models`], "a model", false)],
    of(kumi, own.map((name) => `${HOME}/${name}`), "kumi"),
  ];
}

function factsOf({ manifest: { version, license }, platform, model }: Assembled): ImageFacts {
  const set = Deno.env.get("SOURCE_DATE_EPOCH");
  if (set !== undefined && !/^\d{1,11}$/.test(set)) {
    throw new RangeError(`SOURCE_DATE_EPOCH is ${JSON.stringify(set)}: give seconds since 1970`);
  }
  const environment = {
    PATH: `/${HOME}/bin`,
    HOME: "/cache",
    DENO_DIR: "/tmp/deno",
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
    KUMI_CACHE: "/cache",
    KUMI_HOST: "0.0.0.0",
    ...model === undefined ? {} : { KUMI_MODEL: `/${HOME}/${model}` },
  };
  return {
    reference: `kumi:${version}`,
    architecture: ARCHITECTURES[platform.arch],
    createdSeconds: Number(set ?? Math.floor(Date.now() / 1000)),
    config: {
      User: `${USER}:${USER}`,
      WorkingDir: "/",
      Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      Entrypoint: [`/${HOME}/bin/deno`, ...FLAGS.split(" "), `/${HOME}/${PROGRAM}`],
      Cmd: ["serve"],
      ExposedPorts: { "8080/tcp": {} },
      StopSignal: "SIGTERM",
      Labels: {
        "org.opencontainers.image.title": "kumi",
        "org.opencontainers.image.description": "A server of large language models on ordinary processors",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": license,
      },
    },
  };
}
