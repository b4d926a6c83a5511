/** The weights of a checkpoint: one safetensors file, or several with an index. @module */

import { type ByteSource, FileSource } from "../gguf/byte_source.ts";
import { GgufError, quote } from "../gguf/error.ts";
import { CheckpointError } from "./error.ts";
import { readSafetensorsHeader, type StoredTensor } from "./header.ts";
import { JsonObject } from "./json_object.ts";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const FILES_MAX = 4096;
const FILE_NAME = /^[\w.\- ]{1,200}\.safetensors$/;

/** A tensor and the file that it lies in. */
export interface FolderTensor extends StoredTensor {
  readonly source: ByteSource;
}

/** The open files of a checkpoint. */
export interface WeightFolder {
  readonly tensors: ReadonlyMap<string, FolderTensor>;
  /** Closes all files. */
  close(): void;
}

/** Whether a path is a folder of safetensors, as far as a look at it tells. */
export async function isCheckpoint(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isDirectory, () => false);
}

/** Names of the files in which the weights of a folder lie, or should lie. Throws CheckpointError where the index names others than such. */
export async function weightFiles(folder: string): Promise<string[]> {
  const index = await JsonObject.read(folder, INDEX);
  return filesOf(index && weightMap(index));
}

function filesOf(named: ReadonlyMap<string, string> | undefined): string[] {
  return named === undefined ? [SINGLE] : [...new Set(named.values())].sort();
}

/** Opens and checks the files. Throws CheckpointError that names the file. */
export async function openWeights(folder: string): Promise<WeightFolder> {
  const index = await JsonObject.read(folder, INDEX);
  const named = index === undefined ? undefined : weightMap(index);
  const files = filesOf(named);
  const sources: ByteSource[] = [];
  const close = () => sources.forEach((source) => source.close());
  try {
    const tensors = new Map<string, FolderTensor>();
    for (const file of files) {
      const source = await open(`${folder}/${file}`);
      sources.push(source);
      for (const tensor of inFile(`${folder}/${file}`, () => readSafetensorsHeader(source)).values()) {
        if (named !== undefined && named.get(tensor.name) !== file) {
          throw new CheckpointError(
            `${folder}/${file}: tensor ${quote(tensor.name)} is in ${
              named.get(tensor.name) ?? "no file"
            } by ${INDEX}`,
          );
        }
        tensors.set(tensor.name, { ...tensor, source });
      }
    }
    const missing = named?.keys().find((name) => !tensors.has(name));
    if (missing !== undefined) {
      throw new CheckpointError(
        `${folder}/${named!.get(missing)}: tensor ${quote(missing)} is not there, which ${INDEX} names`,
      );
    }
    return { tensors, close };
  } catch (error) {
    close();
    throw error;
  }
}

function weightMap(index: JsonObject): Map<string, string> {
  const map = index.object("weight_map");
  const files = new Map(map.keys().map((name) => [name, map.string(name)]));
  for (const [name, file] of files) {
    if (!FILE_NAME.test(file)) {
      throw new CheckpointError(
        `${INDEX}: weight_map: ${quote(name)} must be the name of a safetensors file, current value is ${
          quote(file)
        }`,
      );
    }
  }
  const count = new Set(files.values()).size;
  if (count === 0 || count > FILES_MAX) {
    throw new CheckpointError(`${INDEX}: weight_map names ${count} files, expected 1 to ${FILES_MAX}`);
  }
  return files;
}

async function open(path: string): Promise<ByteSource> {
  try {
    return await FileSource.open(path);
  } catch (error) {
    throw error instanceof GgufError
      ? new CheckpointError(`${path}: ${error.message}`, { cause: error })
      : error;
  }
}

function inFile<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const isOurs = error instanceof CheckpointError || error instanceof GgufError;
    throw isOurs ? new CheckpointError(`${path}: ${error.message}`, { cause: error }) : error;
  }
}
