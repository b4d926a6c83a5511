/** What a kind of checkpoint is in GGUF: one for each name in `architectures`. @module */

import { arrayEntry, scalarEntry } from "../gguf/entries.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";
import type { JsonObject } from "./json_object.ts";

/** Sizes that tensors' names and orders depend on. */
export interface Sizes {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** The context that the model was trained for, in tokens. */
  readonly context: number;
}

/** Makes entries of the kind's namespace. */
export interface EntryMaker {
  u32(key: string, value: number): MetadataEntry;
  f32(key: string, value: number): MetadataEntry;
  bool(key: string, value: boolean): MetadataEntry;
  string(key: string, value: string): MetadataEntry;
  bools(key: string, values: boolean[]): MetadataEntry;
}

/** Entries of keys below `name`. */
export function entryMaker(name: string): EntryMaker {
  return {
    u32: (key, value) => scalarEntry("u32", `${name}.${key}`, value),
    f32: (key, value) => scalarEntry("f32", `${name}.${key}`, value),
    bool: (key, value) => scalarEntry("bool", `${name}.${key}`, value),
    string: (key, value) => scalarEntry("string", `${name}.${key}`, value),
    bools: (key, values) => arrayEntry("bool", `${name}.${key}`, values),
  };
}

/** What differs from Llama, whose settings and tensors are everybody's where nothing is said. */
export interface Kind {
  /** The value of `general.architecture`. */
  readonly name: string;
  /** GGUF wants the rows of queries and keys in the order of interleaved pairs. */
  readonly interleaved?: boolean;
  /** Parts of a layer by other names: what the checkpoint calls them, and GGUF. */
  readonly parts?: Readonly<Record<string, string>>;
  /** Tensors of a layer whose names end in neither "weight" nor "bias": what the checkpoint calls them, and GGUF. */
  readonly odd?: Readonly<Record<string, string>>;
  /** The folder of a layer's experts, and their matrices: what the checkpoint calls them, and GGUF all together. Default: there are none. */
  readonly experts?: { readonly folder: string; readonly matrices: Readonly<Record<string, string>> };
  /** Tensors beside the layers by other names. */
  readonly outer?: Readonly<Record<string, string>>;
  /** For LayerNorm the setting that has its epsilon, or that number. Default: RMSNorm. */
  readonly layerNorm?: string | number;
  /** Whether the output is the token table where the settings say nothing. Default: it is not. */
  readonly isTied?: boolean;
  /** Whether all matrices have biases. Default: no. */
  readonly hasBiases?: boolean;
  /** Vectors of norms hold what is to be added to 1. */
  readonly normsAroundOne?: boolean;
  /** Values of the activation's setting that mean the family's. Default: "silu". */
  readonly activations?: readonly string[];
  /** Whether queries, keys and values may have biases. Default: they may. */
  readonly biases?: boolean;
  /** The share of a head that turns where the settings say nothing. Default: all of it, and settings may not say otherwise. */
  readonly partialRotary?: number;
  /** What RoPE may be scaled by beside `linear` and `yarn`. */
  readonly ropeTypes?: readonly ("llama3" | "longrope" | "dynamic")[];
  /** Layers that see a window: all, or those that `layer_types` names, by default all but each `period`th. */
  readonly windows?: "all" | { readonly period: number };
  /** Settings of the kind's own. Throws CheckpointError for what the family does not compute. */
  readonly entries?: (config: JsonObject, make: EntryMaker, sizes: Sizes) => MetadataEntry[];
}
