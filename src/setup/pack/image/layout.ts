/**
 * An image of a container as one file, which `docker load`, `podman load` and `skopeo copy oci-archive:` read: the image layout of
 * OCI 1.1, and beside it the list that older versions of Docker look for.
 * https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 * @module
 */

import { createHash } from "node:crypto";
import { capture } from "../../process.ts";
import { sha256Of } from "../offline/checksums.ts";

/** Files of an image, as one of its layers. */
export interface Layer {
  /** Root of the files. */
  readonly folder: string;
  /** Files and folders below it; each with what is in it. */
  readonly entries: readonly string[];
  /** False for what does not get smaller. */
  readonly isCompressed: boolean;
  /** What it is, for the image's history. */
  readonly comment: string;
}

/** What an image is and how it runs. */
export interface ImageFacts {
  /** Name and tag: `kumi:0.1.0`. */
  readonly reference: string;
  /** As Go names it: `amd64`. */
  readonly architecture: string;
  /** Seconds since 1970, in the image's facts and its files' times. */
  readonly createdSeconds: number;
  /** The `config` of OCI's image configuration: user, environment, entry point. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** What refers to a blob. */
interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const TYPE = "application/vnd.oci.image";

/** Writes an image to `file`; `staging` is a folder for its parts, which is gone afterwards. Throws an Error with tar's words. */
export async function writeImage(
  file: string,
  staging: string,
  layers: readonly Layer[],
  facts: ImageFacts,
  signal?: AbortSignal,
): Promise<void> {
  await Deno.mkdir(`${staging}/blobs/sha256`, { recursive: true });
  try {
    const written = [];
    for (const layer of layers) {
      written.push({ ...layer, ...await writeLayer(staging, layer, facts.createdSeconds, signal) });
    }
    const created = new Date(facts.createdSeconds * 1000).toISOString();
    const config = await writeBlob(staging, `${TYPE}.config.v1+json`, {
      created,
      architecture: facts.architecture,
      os: "linux",
      config: facts.config,
      rootfs: { type: "layers", diff_ids: written.map(({ diffId }) => diffId) },
      history: written.map(({ comment }) => ({ created, created_by: "deno task pack --image", comment })),
    });
    const manifest = await writeBlob(staging, `${TYPE}.manifest.v1+json`, {
      schemaVersion: 2,
      mediaType: `${TYPE}.manifest.v1+json`,
      config,
      layers: written.map(({ blob }) => blob),
    });
    await writeIndex(staging, facts, manifest, [config, ...written.map(({ blob }) => blob)]);
    const entries = ["oci-layout", "index.json", "manifest.json", "blobs"];
    // One that is cut off has no name of a whole one: in the staging folder it goes with that.
    const part = `${staging}.tar`;
    await writeTar(part, staging, entries, facts.createdSeconds, signal);
    await Deno.rename(part, file);
  } finally {
    await Deno.remove(staging, { recursive: true }).catch(() => {});
  }
}

async function writeIndex(
  staging: string,
  { reference, architecture }: ImageFacts,
  manifest: Descriptor,
  [config, ...layers]: readonly Descriptor[],
): Promise<void> {
  const write = (name: string, value: unknown) =>
    Deno.writeTextFile(`${staging}/${name}`, JSON.stringify(value));
  const annotations = {
    "org.opencontainers.image.ref.name": reference.split(":")[1],
    "io.containerd.image.name": `docker.io/library/${reference}`,
  };
  await write("oci-layout", { imageLayoutVersion: "1.0.0" });
  await write("index.json", {
    schemaVersion: 2,
    mediaType: `${TYPE}.index.v1+json`,
    manifests: [{ ...manifest, platform: { architecture, os: "linux" }, annotations }],
  });
  const path = ({ digest }: Descriptor) => `blobs/${digest.replace(":", "/")}`;
  await write("manifest.json", [{ Config: path(config), RepoTags: [reference], Layers: layers.map(path) }]);
}

/** A layer's blob, and the digest of its files without compression. */
async function writeLayer(
  staging: string,
  { folder, entries, isCompressed }: Layer,
  seconds: number,
  signal?: AbortSignal,
): Promise<{ blob: Descriptor; diffId: string }> {
  const tar = `${staging}/layer.tar`;
  await writeTar(tar, folder, entries, seconds, signal);
  const diffId = `sha256:${await sha256Of(tar)}`;
  const mediaType = `${TYPE}.layer.v1.tar`;
  if (!isCompressed) return { diffId, blob: await keepBlob(staging, mediaType, tar) };
  {
    using from = await Deno.open(tar);
    const to = await Deno.create(`${tar}.gz`);
    await from.readable.pipeThrough(new CompressionStream("gzip")).pipeTo(to.writable, { signal });
  }
  await Deno.remove(tar);
  return { diffId, blob: await keepBlob(staging, `${mediaType}+gzip`, `${tar}.gz`) };
}

/** The same bytes for the same files: owned by root, all of one time, in order. */
async function writeTar(
  file: string,
  folder: string,
  entries: readonly string[],
  seconds: number,
  signal?: AbortSignal,
): Promise<void> {
  const command = ["tar", "--create", `--file=${file}`, "--format=gnu", "--sort=name", `--mtime=@${seconds}`];
  const owner = ["--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go+rX"];
  const done = await capture([...command, ...owner, `--directory=${folder}`, "--", ...entries], { signal });
  if (done === null) throw new Error("tar, which writes the image, is not there");
  if (done.code !== 0) throw new Error(`tar could not write the image: ${done.stderr.trim()}`);
}

async function writeBlob(staging: string, mediaType: string, value: unknown): Promise<Descriptor> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const digest = createHash("sha256").update(bytes).digest("hex");
  await Deno.writeFile(`${staging}/blobs/sha256/${digest}`, bytes);
  return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
}

async function keepBlob(staging: string, mediaType: string, file: string): Promise<Descriptor> {
  const digest = await sha256Of(file);
  const { size } = await Deno.stat(file);
  await Deno.rename(file, `${staging}/blobs/sha256/${digest}`);
  return { mediaType, digest: `sha256:${digest}`, size };
}
