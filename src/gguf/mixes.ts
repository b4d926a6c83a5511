/**
 * Which format each tensor of a file takes. A *mix* such as `q4_k_m` spends more bits where errors cost most: on the output
 * matrix, on values and on the feed-forward's last matrix, there above all in the first and the last layers. Mixes and names are
 * llama.cpp's, so that a file of ours has the tensor types that its quantizer would choose: source of the rules.
 * @module
 */

import { weightFormats } from "../ffi/symbols.ts";
import { GgufError } from "./error.ts";
import type { MetadataReader } from "./metadata.ts";
import { fileTypeOf, type FormatName, formatNames } from "./storage_format.ts";

/** What rules ask of a model. */
export interface MixModel {
  readonly architecture: string;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** 0: no mixture of experts. */
  readonly experts: number;
  /** Whether the file has no output matrix of its own. */
  readonly isTied: boolean;
  /** Whether importances are at hand. */
  readonly hasImportance: boolean;
}

/** Where a tensor stands among its kind, the first one at 0. */
interface Place extends MixModel {
  readonly index: number;
  readonly count: number;
}

/** The format of a tensor; undefined: the mix's own. */
type Rule = (place: Place) => FormatName | undefined;

interface Mix {
  readonly base: FormatName;
  /** The value of `general.file_type`. */
  readonly fileType: number;
  /** Of the matrix that makes values; where queries, keys and values are one matrix, of that. */
  readonly value?: Rule;
  /** Of the feed-forward's last matrix. */
  readonly down?: Rule;
  /** Of the matrix behind attention. */
  readonly attentionOutput?: Rule;
}

/** The first and the last eighth, and every third layer between. */
function isSensitive({ index, count }: Place): boolean {
  const eighth = Math.floor(count / 8);
  return index < eighth || index >= Math.floor(7 * count / 8) || (index - eighth) % 3 === 2;
}

const inFirst = (share: number) => ({ index, count }: Place) => index < Math.floor(count / share);
const isFalcon = ({ architecture }: Place) => architecture === "falcon";
/** Whether four or more heads share a value: its matrix is small and has much to say. */
const isShared = ({ heads, kvHeads }: Place) => kvHeads > 0 && Math.floor(heads / kvHeads) >= 4;

const always = (format: FormatName): Rule => () => format;
const where =
  (condition: (place: Place) => boolean, format: FormatName, other?: FormatName): Rule => (place) =>
    condition(place) ? format : other;
/** With eight experts one format, else what `rule` says; Falcon keeps the mix's own. */
const behindAttention = (withExperts: FormatName | undefined, format?: FormatName): Rule => (place) =>
  isFalcon(place) ? undefined : place.experts === 8 ? withExperts : format;

/** Both formats of sixteen unequal steps have the same rules. */
const UNEQUAL_STEPS: Omit<Mix, "base" | "fileType"> = {
  value: where(isShared, "q5_k"),
  down: where((place) => inFirst(8)(place) && !place.hasImportance, "q5_k"),
  attentionOutput: behindAttention("q5_k"),
};

const MIXES = {
  q2_k: {
    base: "q2_k",
    fileType: 10,
    value: where(isShared, "q4_k", "q3_k"),
    down: always("q3_k"),
    attentionOutput: behindAttention("q5_k", "q3_k"),
  },
  q2_k_s: { base: "q2_k", fileType: 21, value: where(isShared, "q4_k"), down: where(inFirst(8), "q4_k") },
  q3_k_s: { base: "q3_k", fileType: 11, attentionOutput: behindAttention("q5_k") },
  q3_k_m: {
    base: "q3_k",
    fileType: 12,
    value: where(({ index }) => index < 2, "q5_k", "q4_k"),
    down: (place) =>
      inFirst(16)(place) ? "q5_k" : isFalcon(place) && !isSensitive(place) ? undefined : "q4_k",
    attentionOutput: behindAttention("q5_k", "q4_k"),
  },
  q3_k_l: {
    base: "q3_k",
    fileType: 13,
    value: always("q5_k"),
    down: where(isFalcon, "q4_k", "q5_k"),
    attentionOutput: (place) => isFalcon(place) ? "q4_k" : behindAttention(undefined, "q5_k")(place),
  },
  q4_0: {
    base: "q4_0",
    fileType: 2,
    down: where((place) => inFirst(8)(place) && place.hasImportance, "q4_1"),
  },
  q4_1: { base: "q4_1", fileType: 3 },
  q4_k_s: {
    base: "q4_k",
    fileType: 14,
    value: where(({ index }) => index < 4, "q5_k"),
    down: where((place) => inFirst(8)(place) && !isFalcon(place), "q5_k"),
    attentionOutput: behindAttention("q5_k"),
  },
  q4_k_m: {
    base: "q4_k",
    fileType: 15,
    value: where(isSensitive, "q6_k"),
    down: (place) => {
      if (isFalcon(place)) return inFirst(16)(place) ? "q6_k" : isSensitive(place) ? "q5_k" : undefined;
      return isSensitive(place) ? "q6_k" : undefined;
    },
    attentionOutput: behindAttention("q5_k"),
  },
  iq4_nl: { base: "iq4_nl", fileType: 25, ...UNEQUAL_STEPS },
  iq4_xs: { base: "iq4_xs", fileType: 30, ...UNEQUAL_STEPS },
  q5_0: {
    base: "q5_0",
    fileType: 8,
    down: where((place) => inFirst(8)(place) && place.hasImportance, "q5_1"),
  },
  q5_1: { base: "q5_1", fileType: 9 },
  q5_k_s: { base: "q5_k", fileType: 16 },
  q5_k_m: { base: "q5_k", fileType: 17, value: where(isSensitive, "q6_k"), down: where(isSensitive, "q6_k") },
  q6_k: { base: "q6_k", fileType: 18 },
  q8_0: { base: "q8_0", fileType: 7 },
  mxfp4_moe: { base: "mxfp4", fileType: 38 },
  f16: { base: "f16", fileType: 1 },
  bf16: { base: "bf16", fileType: 32 },
} as const satisfies Record<string, Mix>;

/** Names of the mixes. */
export const mixNames: readonly string[] = Object.keys(MIXES);

/** All names that {@linkcode parseTarget} knows. Those of {@linkcode formatNames} that are no mix mean that format throughout. */
export const targetNames: readonly string[] = [
  ...mixNames,
  ...formatNames.filter((name) => !mixNames.includes(name)),
];

/** What a file is to become. */
export interface Target {
  readonly name: string;
  /** The format of most matrices. */
  readonly format: FormatName;
  readonly fileType: number;
  /** Undefined: `format` throughout. */
  readonly mix?: Mix;
}

/** Checks a name in any case. `isPure`: the mix's own format throughout. Throws {@linkcode GgufError} that lists the names. */
export function parseTarget(text: string, isPure = false): Target {
  const name = text.toLowerCase();
  if (Object.hasOwn(MIXES, name)) {
    const mix = MIXES[name as keyof typeof MIXES];
    if (!isPure) return { name, format: mix.base, fileType: mix.fileType, mix };
    return { name: mix.base, format: mix.base, fileType: fileTypeOf(mix.base) };
  }
  const format = formatNames.find((known) => known === name);
  if (format !== undefined) return { name, format, fileType: fileTypeOf(format) };
  throw new GgufError(`expected one of the formats ${targetNames.join(", ")}, current value is ${text}`);
}

/** What rules ask, of a file's metadata and the names of its tensors. Tolerates what it does not find. */
export function mixModelOf(get: MetadataReader, names: Iterable<string>, hasImportance: boolean): MixModel {
  const architecture = get.string("general.architecture", { fallback: "" });
  const first = (key: string, fallback: number) => {
    const full = `${architecture}.${key}`;
    return get.hasArray(full) ? get.numbers(full)[0] ?? fallback : get.u32(full, { fallback });
  };
  const heads = first("attention.head_count", 1);
  return {
    architecture,
    layers: first("block_count", 0),
    heads,
    kvHeads: first("attention.head_count_kv", heads),
    experts: first("expert_count", 0),
    isTied: !Iterator.from(names).some((name) => name === "output.weight"),
    hasImportance,
  };
}

/** A tensor as rules see it. `dims`: elements per dimension, fastest first. */
export interface MixTensor {
  readonly name: string;
  readonly dims: readonly number[];
}

/** Parts of the names of matrices that stay as they are: they are small, or a rounding there costs too much. */
const UNTOUCHED = [
  ...[
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
  ],
  ...["ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight", "indexer.q_proj.weight"],
  ...[
    "first",
    "w0",
    "w1",
    "w2",
    "v0",
    "v1",
    "v2",
    "a0",
    "a1",
    "a2",
    "g1",
    "g2",
    "decay_w1",
    "decay_w2",
    "lerp_fused",
  ]
    .map((name) => `time_mix_${name}.weight`),
  ...[
    "attn_rel_b.weight",
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
  ],
  ...[".patch_merger", "a.rvq.codebook", "mm.a.code_embd"],
];

/** Whether mixes choose a format for a tensor; the others keep theirs. */
function isChosen({ name, dims }: MixTensor): boolean {
  return dims.length > 1 && name.endsWith("weight") && name !== "position_embd.weight" &&
    name !== "token_types.weight" && !UNTOUCHED.some((part) => name.includes(part));
}

type Role = "output" | "embedding" | "value" | "key" | "attentionOutput" | "down" | "other";

function roleOf(name: string): Role {
  if (name === "output.weight") return "output";
  if (name === "token_embd.weight" || name === "per_layer_token_embd.weight") return "embedding";
  if (/attn_(qkv|kv_b|v)\.weight/.test(name)) return "value";
  if (name.includes("attn_k.weight")) return "key";
  if (name.includes("attn_output.weight")) return "attentionOutput";
  return /ffn_(up|gate)/.test(name) ? "other" : name.includes("ffn_down") ? "down" : "other";
}

const layerOf = (name: string) => Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? -1);

/** The order in which matrices of a kind are counted. */
function byLayer(a: MixTensor, b: MixTensor): number {
  return layerOf(a.name) - layerOf(b.name) || (a.name < b.name ? -1 : 1);
}

/** The formats that a mix gives to tensors by their names; those that are missing keep their own. */
export function mixFormats(
  mix: Mix,
  model: MixModel,
  tensors: readonly MixTensor[],
): Map<string, FormatName> {
  const result = new Map<string, FormatName>();
  const values = tensors.filter(({ name }) => roleOf(name) === "value").length;
  let valuesBefore = 0, downsBefore = 0;
  for (const tensor of tensors.filter(isChosen).sort(byLayer)) {
    const role = roleOf(tensor.name);
    let place: Place = { ...model, index: 0, count: 0 };
    if (role === "value") place = { ...place, index: valuesBefore++, count: values };
    if (role === "down") {
      // Experts' matrices come several to a layer: there the name tells which.
      const index = model.experts > 1 ? layerOf(tensor.name) : downsBefore;
      place = { ...place, index, count: model.layers };
      downsBefore++;
    }
    const isFloat = ["f32", "f16", "bf16"].includes(mix.base);
    const format = isFloat ? mix.base : formatAt(mix, role, place, tensor);
    result.set(tensor.name, isFloat ? format : fitting(format, tensor.dims[0]));
  }
  return result;
}

function formatAt(mix: Mix, role: Role, place: Place, { dims }: MixTensor): FormatName {
  const { base } = mix;
  if (role === "output" || (role === "embedding" && place.isTied)) {
    const isUnfit = isFalcon(place) || !fits(base, dims[0]);
    return isUnfit || base === "q8_0" || base === "mxfp4" ? "q8_0" : "q6_k";
  }
  if (base === "mxfp4") return dims.length > 2 && dims[2] > 1 ? "mxfp4" : "q8_0";
  if (role === "value") return valueFormat(mix, place);
  // Two matrices of all, beside eight experts: better bits cost little.
  if (role === "key" && place.experts === 8) return "q8_0";
  if (role === "down") return mix.down?.(place) ?? base;
  if (role === "attentionOutput") return mix.attentionOutput?.(place) ?? base;
  return base;
}

function valueFormat(mix: Mix, place: Place): FormatName {
  if (place.experts === 8) return "q8_0";
  const format = mix.value?.(place) ?? mix.base;
  return isSeventyBillion(place) && (format === "q3_k" || format === "q4_k") ? "q5_k" : format;
}

/** The shape of the models of 70 billion parameters, whose values are an eighth of the queries' size. */
function isSeventyBillion({ architecture, layers, heads, kvHeads, experts }: Place): boolean {
  if (architecture === "llama") return layers === 80 && heads !== kvHeads && experts !== 8;
  if (architecture === "jais2") return layers === 68;
  return layers === 80 && ["qwen2", "deci", "olmo"].includes(architecture);
}

/** For rows that are not whole blocks of 256: a format of about as many bits in blocks of 32. */
const SMALLER_BLOCKS: Readonly<Partial<Record<FormatName, FormatName>>> = {
  q2_k: "q4_0",
  q3_k: "q4_0",
  iq4_xs: "iq4_nl",
  q4_k: "q5_0",
  q5_k: "q5_1",
  q6_k: "q8_0",
};

function fitting(format: FormatName, rowLength: number): FormatName {
  if (fits(format, rowLength)) return format;
  const smaller = SMALLER_BLOCKS[format] ?? format;
  return fits(smaller, rowLength) ? smaller : "f16";
}

function fits(format: FormatName, rowLength: number): boolean {
  return rowLength % weightFormats[format].blockLength === 0;
}
