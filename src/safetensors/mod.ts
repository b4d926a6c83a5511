/** Checkpoints in safetensors folders, as the GGUF file that a converter would make of them. @module */

import { scalarEntry } from "../gguf/entries.ts";
import { quote } from "../gguf/error.ts";
import { parseHeader } from "../gguf/header.ts";
import { GgufFile } from "../gguf/reader.ts";
import { TensorTypeId } from "../gguf/tensor_types.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";
import { readAddedTokens } from "./added_tokens.ts";
import {
  type Architecture,
  endTokens,
  generationEntries,
  type NamedTensor,
  readArchitecture,
} from "./architecture.ts";
import { CheckpointError } from "./error.ts";
import { type FolderTensor, openWeights } from "./folder.ts";
import { JsonObject } from "./json_object.ts";
import { type ExpertTensor, stackExperts } from "./stacked.ts";
import { tokenizerEntries } from "./tokenizer_json.ts";
import { fromMemory, reordered, VirtualSource, type VirtualTensor } from "../gguf/virtual_file.ts";

export { CheckpointError } from "./error.ts";
export { isCheckpoint } from "./folder.ts";

const TYPES: Readonly<Record<string, number>> = {
  F32: TensorTypeId.F32,
  F16: TensorTypeId.F16,
  BF16: TensorTypeId.BF16,
};

/**
 * Opens a folder with config.json, tokenizer.json and safetensors. What comes back reads as a GGUF file:
 * tensors are renamed, rows put in GGUF's order and vectors widened to f32 as they are read. Throws
 * CheckpointError that names the file and what is wrong with it.
 */
export async function openCheckpoint(folder: string): Promise<GgufFile> {
  const path = folder.replace(/(?<=.)[/\\]+$/, "");
  try {
    const config = await JsonObject.read(path, "config.json");
    if (config === undefined) {
      throw new CheckpointError(`${path}: there is no config.json: a model's folder has one`);
    }
    const generation = await JsonObject.read(path, "generation_config.json");
    const tokenizer = await JsonObject.read(path, "tokenizer.json");
    if (tokenizer === undefined) {
      throw new CheckpointError(`${path}: there is no tokenizer.json, without which there are no tokens`);
    }
    const settings = await JsonObject.read(path, "tokenizer_config.json");
    const architecture = readArchitecture(config);
    const entries = [
      ...architecture.entries,
      scalarEntry("string", "general.name", path.split(/[/\\]/).at(-1)!),
      ...generationEntries(generation),
      ...tokenizerEntries(tokenizer, architecture.vocab),
      ...specialEntries(settings, endTokens(config, generation), tokenizer),
      ...await templateEntries(path, settings),
    ];
    return await openTensors(path, architecture, lastOfEach(entries));
  } catch (error) {
    const isNamed = error instanceof Error && error.message.startsWith(path);
    throw error instanceof CheckpointError && !isNamed
      ? new CheckpointError(`${path}: ${error.message}`, { cause: error })
      : error;
  }
}

async function openTensors(
  path: string,
  architecture: Architecture,
  entries: readonly MetadataEntry[],
): Promise<GgufFile> {
  const weights = await openWeights(path);
  try {
    const { tensors, experts } = virtualTensors(weights.tensors.values(), architecture);
    for (const [name, parts] of experts) tensors.push(stackExperts(name, parts));
    for (const { name, data } of architecture.computed) {
      tensors.push({ name, type: TensorTypeId.F32, dims: [data.length], read: fromMemory(data) });
    }
    const source = new VirtualSource(entries, tensors, weights.close);
    return new GgufFile({ path, source, header: parseHeader(source) });
  } catch (error) {
    weights.close();
    throw error;
  }
}

/** The tensors as GGUF has them, and the matrices of experts by the tensor that has them all. */
function virtualTensors(stored: Iterable<FolderTensor>, architecture: Architecture) {
  const tensors: VirtualTensor[] = [], experts = new Map<string, ExpertTensor[]>();
  for (const each of stored) {
    const named = architecture.tensor(each.name);
    if (named === null) continue;
    const tensor = virtualTensor(each, named, architecture);
    if (named?.expert === undefined) tensors.push(tensor);
    else {
      const part = { expert: named.expert, stored: each.name, bytes: each.bytes, tensor };
      experts.set(named.name, [...experts.get(named.name) ?? [], part]);
    }
  }
  return { tensors, experts };
}

function virtualTensor(
  stored: FolderTensor,
  named: NamedTensor | undefined,
  architecture: Architecture,
): VirtualTensor {
  const shown = `tensor ${quote(stored.name)}`;
  if (named === undefined) throw new CheckpointError(`${shown} has no place in ${architecture.name}`);
  if (!Object.hasOwn(TYPES, stored.dtype)) {
    throw new CheckpointError(`${shown} is ${stored.dtype}: weights must be F32, F16 or BF16`);
  }
  if (stored.shape.length === 0 || stored.shape.includes(0)) {
    throw new CheckpointError(`${shown} is [${stored.shape.join(", ")}], which holds no weights`);
  }
  const { name, order, aroundOne = false, isWide = false } = named;
  const dims = stored.shape.toReversed();
  const plain: VirtualTensor["read"] = (offset, target) =>
    stored.source.readAt(stored.offset + offset, target);
  const rows = dims.slice(1).reduce((product, n) => product * n, dims.length === 1 ? dims[0] : 1);
  const read = order === undefined
    ? plain
    : reordered(plain, stored.bytes / rows, interleavedRow(rows, order.heads, shown));
  if (dims.length > 1 && !isWide) return { name, type: TYPES[stored.dtype], dims, read };
  if (dims.length > 1) {
    const wide: VirtualTensor["read"] = (offset, target) => fromMemory(widened(stored, read))(offset, target);
    return { name, type: TensorTypeId.F32, dims, read: wide };
  }
  const data = widened(stored, read);
  return {
    name,
    type: TensorTypeId.F32,
    dims,
    read: fromMemory(aroundOne ? data.map((value) => value + 1) : data),
  };
}

/** Row 2j + s of a head is its row s · half + j: the pairs that RoPE turns become neighbours. */
function interleavedRow(rows: number, heads: number, shown: string): (row: number) => number {
  const size = rows / heads;
  if (!Number.isInteger(size / 2)) {
    throw new CheckpointError(`${shown} has ${rows} rows, which are no ${heads} heads of pairs`);
  }
  return (row) => {
    const within = row % size;
    return row - within + (within % 2) * (size / 2) + (within >> 1);
  };
}

/** A vector, or a router's matrix, as f32: GGUF's readers want no other. */
function widened({ bytes, dtype }: FolderTensor, read: VirtualTensor["read"]): Float32Array {
  const data = new Uint8Array(bytes);
  read(0, data);
  const { buffer } = data;
  if (dtype === "F32") return new Float32Array(buffer);
  if (dtype === "F16") return Float32Array.from(new Float16Array(buffer));
  const bits = Uint32Array.from(new Uint16Array(buffer), (half) => half << 16);
  return new Float32Array(bits.buffer);
}

/** The ids of the tokens with a role. GGUF has three that end an answer. */
function specialEntries(
  settings: JsonObject | undefined,
  ends: readonly number[],
  tokenizer: JsonObject,
): MetadataEntry[] {
  const ids = new Map(readAddedTokens(tokenizer).map(({ content, id }) => [content, id]));
  const idOf = (key: string): number | undefined => {
    const value = settings?.value(key);
    const text = typeof value === "object" ? settings!.object(key).value("content") : value;
    return typeof text === "string" ? ids.get(text) : undefined;
  };
  const all = [...new Set([...ends, idOf("eos_token")].filter((id) => id !== undefined))];
  const roles: [string, number | undefined][] = [
    ["bos", idOf("bos_token")],
    ["eos", all[0]],
    ["eot", all[1]],
    ["eom", all[2]],
    ["padding", idOf("pad_token")],
  ];
  return [
    ...roles.flatMap(([role, id]) =>
      id === undefined ? [] : [scalarEntry("u32", `tokenizer.ggml.${role}_token_id`, id)]
    ),
    ...settings?.has("add_bos_token")
      ? [scalarEntry("bool", "tokenizer.ggml.add_bos_token", settings.boolean("add_bos_token", false))]
      : [],
  ];
}

/** The chat template: a file of its own, or in tokenizer_config.json, there perhaps one of several. */
async function templateEntries(path: string, settings: JsonObject | undefined): Promise<MetadataEntry[]> {
  const own = await Deno.readTextFile(`${path}/chat_template.jinja`).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  const given = own ?? settings?.value("chat_template");
  const list = Array.isArray(given)
    ? given.map((value, i) => new JsonObject(`tokenizer_config.json: chat_template[${i}]`, value))
    : [];
  const template = Array.isArray(given)
    ? list.find((each) => each.value("name") === "default")?.value("template")
    : given;
  return typeof template === "string" ? [scalarEntry("string", "tokenizer.chat_template", template)] : [];
}

/** Later entries of a key count. */
function lastOfEach(entries: readonly MetadataEntry[]): MetadataEntry[] {
  return [...new Map(entries.map((entry) => [entry.key, entry])).values()];
}
