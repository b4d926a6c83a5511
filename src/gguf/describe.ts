import { type ActiveWeights, activeWeights } from "./active.ts";
import type { GgufFile } from "./reader.ts";
import { elementCount, tensorType } from "./tensor_types.ts";

/** One tensor as `inspect` lists it. */
export interface TensorDescription {
  readonly name: string;
  /** Type's name, as in `Q4_K`. */
  readonly type: string;
  /** Elements per dimension, fastest first. */
  readonly dims: readonly number[];
  readonly parameters: number;
  readonly bytes: number;
}

/** Totals over the tensors of one type. */
export interface TypeTotals {
  readonly type: string;
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
}

/** Sizes that decide how much a token's keys and values take. */
export interface KvShape {
  /** Key and value heads, summed over all layers. */
  readonly heads: number;
  /** Elements of one key and of one value. */
  readonly keyLength: number;
  readonly valueLength: number;
}

/** What a model file holds, without reading tensor data. */
export interface ModelDescription {
  readonly path: string;
  readonly version: number;
  readonly fileBytes: number;
  readonly architecture: string | null;
  readonly name: string | null;
  /** Longest context that the model was made for, in tokens. */
  readonly contextMax: number | null;
  readonly parameters: number;
  /** What of them a token is computed with: other experts and the rows of other tokens left out. */
  readonly active: ActiveWeights;
  /** Bytes of all tensors: what weights take in memory. */
  readonly weightsBytes: number;
  /** Largest first. */
  readonly types: readonly TypeTotals[];
  /** In the file's order. */
  readonly tensors: readonly TensorDescription[];
  /** Null when the metadata does not tell, as in a file that holds a vocabulary only. */
  readonly kv: KvShape | null;
  /** Files that the model lies in. */
  readonly partCount: number;
  /** How the file says that embeddings are made of hidden states; null where it does not say. */
  readonly pooling: string | null;
}

/** Describes an open file. Never throws for metadata that is missing: those fields are null. */
export function describe(file: GgufFile): ModelDescription {
  const tensors = [...file.tensors.values()].map(({ name, type, dims, bytes }) => {
    return { name, type: tensorType(type).name, dims, parameters: elementCount(dims), bytes };
  });
  const architecture = stringOf(file, "general.architecture");
  return {
    path: file.path,
    version: file.version,
    fileBytes: file.fileBytes,
    architecture,
    name: stringOf(file, "general.name"),
    contextMax: numberOf(file, `${architecture}.context_length`),
    parameters: sum(tensors.map(({ parameters }) => parameters)),
    active: activeWeights(file),
    weightsBytes: sum(tensors.map(({ bytes }) => bytes)),
    types: totalsByType(tensors),
    tensors,
    kv: architecture === null ? null : kvShape(file, architecture),
    partCount: file.partCount,
    pooling: poolingOf(file, architecture),
  };
}

/** Embeddings by GGUF's numbers: nothing said, the mean of the hidden states, the first, the last one, a score. */
export const FILE_POOLINGS = ["none", "mean", "cls", "last", "rank"] as const;

function poolingOf(file: GgufFile, architecture: string | null): string | null {
  const value = numberOf(file, `${architecture}.pooling_type`);
  return value === null ? null : FILE_POOLINGS[value] ?? `an unknown kind, ${value}`;
}

function totalsByType(tensors: readonly TensorDescription[]): TypeTotals[] {
  const groups = Map.groupBy(tensors, ({ type }) => type);
  const totals = [...groups].map(([type, group]) => ({
    type,
    tensors: group.length,
    parameters: sum(group.map(({ parameters }) => parameters)),
    bytes: sum(group.map(({ bytes }) => bytes)),
  }));
  return totals.sort((a, b) => b.bytes - a.bytes);
}

function kvShape(file: GgufFile, architecture: string): KvShape | null {
  const layers = numberOf(file, `${architecture}.block_count`);
  const hidden = numberOf(file, `${architecture}.embedding_length`);
  const queryHeads = perLayer(file, `${architecture}.attention.head_count`, layers);
  const heads = perLayer(file, `${architecture}.attention.head_count_kv`, layers) ?? queryHeads;
  if (layers === null || heads === null) return null;
  const perHead = hidden !== null && queryHeads !== null ? hidden / (queryHeads / layers) : null;
  const latent = numberOf(file, `${architecture}.attention.kv_lora_rank`);
  const turned = numberOf(file, `${architecture}.rope.dimension_count`);
  // Latent attention keeps one vector for all heads, and what RoPE turns.
  if (latent !== null && turned !== null) {
    return { heads: layers, keyLength: latent + turned, valueLength: 0 };
  }
  const keyLength = numberOf(file, `${architecture}.attention.key_length`) ?? perHead;
  const valueLength = numberOf(file, `${architecture}.attention.value_length`) ?? perHead;
  if (keyLength === null || valueLength === null) return null;
  // Where only every so many layers have attention, the others have no keys and values.
  const interval = numberOf(file, `${architecture}.full_attention_interval`) ?? 1;
  return { heads: heads / layers * Math.floor(layers / interval), keyLength, valueLength };
}

/** A number that is stored once for all layers or once for each, summed over the layers. */
function perLayer(file: GgufFile, key: string, layers: number | null): number | null {
  const value = file.metadata.get(key);
  if (typeof value === "number") return layers === null ? null : value * layers;
  if (typeof value !== "object" || typeof value[0] !== "number") return null;
  return sum(Array.from(value as ArrayLike<number>));
}

function stringOf(file: GgufFile, key: string): string | null {
  const value = file.metadata.get(key);
  return typeof value === "string" ? value : null;
}

function numberOf(file: GgufFile, key: string): number | null {
  const value = file.metadata.get(key);
  return typeof value === "number" ? value : null;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
