/** How a checkpoint turns queries and keys, as GGUF says it. @module */

import type { MetadataEntry } from "../gguf/value_types.ts";
import type { JsonObject } from "./json_object.ts";
import { type EntryMaker, entryMaker, type Kind, type Sizes } from "./kind.ts";
import { llama3Factors } from "./rope_factors.ts";

/** Entries, and tensors that are computed from the settings. */
export interface Rope {
  readonly entries: readonly MetadataEntry[];
  readonly computed: readonly { readonly name: string; readonly data: Float32Array }[];
}

interface Scaling {
  readonly settings: JsonObject;
  /** The setting that has the type. */
  readonly typeKey: string;
  readonly type: string;
  readonly base: number;
}

/**
 * RoPE's settings: newer files have them in `rope_parameters`, one set or one for each type of layer, older ones in `rope_theta` and
 * `rope_scaling`. Throws CheckpointError for what the family does not compute.
 */
export function readRope(config: JsonObject, kind: Kind, sizes: Sizes): Rope {
  const make = entryMaker(kind.name);
  const given = config.optionalObject("rope_parameters") ?? config.optionalObject("rope_scaling");
  const settings = given?.optionalObject("full_attention") ?? given;
  const base = settings?.has("rope_theta")
    ? settings.number("rope_theta", { min: 1 })
    : config.number("rope_theta", { min: 1, fallback: 10_000 });
  const dimensions = rotatedDims(config, settings, kind, sizes);
  const windowed = windowedEntries(config, given?.optionalObject("sliding_attention"), make);
  const plain = [make.u32("rope.dimension_count", dimensions), ...windowed];
  if (settings === undefined) return { entries: [...plain, make.f32("rope.freq_base", base)], computed: [] };
  const typeKey = settings.has("rope_type") ? "rope_type" : "type";
  const scaling: Scaling = { settings, typeKey, type: settings.string(typeKey, "default"), base };
  const scaled = readScaling(config, kind, sizes, scaling, dimensions, make);
  return { entries: [...plain, ...scaled.entries], computed: scaled.computed };
}

function rotatedDims(
  config: JsonObject,
  settings: JsonObject | undefined,
  { partialRotary }: Kind,
  { headDim }: Sizes,
): number {
  const key = "partial_rotary_factor";
  const owner = settings?.has(key) ? settings : config;
  const share = owner.number(key, { min: 0, fallback: partialRotary ?? 1 });
  if (share > 1 || share !== 1 && partialRotary === undefined) {
    throw owner.unsupported(key, "RoPE of another part of each head");
  }
  return Math.floor(headDim * share);
}

/** The base of layers that see a window, where they have their own. */
function windowedEntries(
  config: JsonObject,
  settings: JsonObject | undefined,
  { f32 }: EntryMaker,
): MetadataEntry[] {
  if (settings === undefined) {
    if (!config.has("rope_local_base_freq")) return [];
    return [f32("rope.freq_base_swa", config.number("rope_local_base_freq", { min: 1 }))];
  }
  const type = settings.string("rope_type", "default");
  if (type !== "default") throw settings.unsupported("rope_type", "scaled RoPE in layers that see a window");
  return [f32("rope.freq_base_swa", settings.number("rope_theta", { min: 1 }))];
}

function readScaling(
  config: JsonObject,
  { ropeTypes = [] }: Kind,
  { headDim, context }: Sizes,
  { settings, typeKey, type, base }: Scaling,
  dimensions: number,
  { f32, u32, string }: EntryMaker,
): Rope {
  const freqBase = f32("rope.freq_base", base);
  if (type === "default") return { entries: [freqBase], computed: [] };
  const unsupported = () => settings.unsupported(typeKey, "another scaling of RoPE");
  if (!["linear", "yarn", ...ropeTypes].includes(type)) throw unsupported();
  if (type === "dynamic") {
    // A base for all lengths of text: only with `alpha` is it that.
    if (!settings.has("alpha")) throw unsupported();
    const alpha = settings.number("alpha", { min: 0 });
    return { entries: [f32("rope.freq_base", base * alpha ** (headDim / (headDim - 2)))], computed: [] };
  }
  const original = settings.count("original_max_position_embeddings", {
    fallback: config.count("original_max_position_embeddings", { fallback: context }),
  });
  const originalContext = u32("rope.scaling.original_context_length", original);
  if (type === "longrope") {
    const entries = [
      freqBase,
      originalContext,
      f32("rope.scaling.attn_factor", longAmplitude(settings, context, original)),
    ];
    const factors = (length: "long" | "short") => ({
      name: `rope_factors_${length}.weight`,
      data: numbers(settings, `${length}_factor`, dimensions / 2),
    });
    return { entries, computed: [factors("long"), factors("short")] };
  }
  const factor = settings.number("factor", { min: 1 });
  if (type === "llama3") {
    const low = settings.number("low_freq_factor", { min: 0 });
    const high = settings.number("high_freq_factor", { min: 0 });
    const data = llama3Factors({ base, headDim, factor, low, high, context: original });
    return { entries: [freqBase], computed: [{ name: "rope_freqs.weight", data }] };
  }
  const scaled = [freqBase, string("rope.scaling.type", type), f32("rope.scaling.factor", factor)];
  if (type === "linear") return { entries: scaled, computed: [] };
  return { entries: [...scaled, originalContext, ...yarnEntries(settings, factor, { f32 })], computed: [] };
}

/** What is otherwise than in YaRN's paper. */
function yarnEntries(
  settings: JsonObject,
  factor: number,
  { f32 }: Pick<EntryMaker, "f32">,
): MetadataEntry[] {
  if (settings.value("truncate") === false) {
    throw settings.unsupported("truncate", "bounds of YaRN between two pairs");
  }
  const grown = (scale: number) => 1 + 0.1 * scale * Math.log(factor);
  const [mscale, all] = ["mscale", "mscale_all_dim"].map((key) => settings.number(key, { fallback: 0 }));
  const wanted = settings.number("attention_factor", {
    fallback: mscale !== 0 && all !== 0 ? grown(mscale) / grown(all) : grown(1),
  });
  const betas = ["fast", "slow"].filter((name) => settings.has(`beta_${name}`)).map((name) =>
    f32(`rope.scaling.yarn_beta_${name}`, settings.number(`beta_${name}`, { min: 0 }))
  );
  return wanted === grown(1) ? betas : [...betas, f32("rope.scaling.attn_factor", wanted / grown(1))];
}

/** What cosines and sines are multiplied by. Ding et al. 2024 (LongRoPE). */
function longAmplitude(settings: JsonObject, context: number, original: number): number {
  for (const key of ["short_mscale", "long_mscale"]) {
    if (settings.has(key)) throw settings.unsupported(key, "an amplitude of RoPE for each length");
  }
  const stretch = context / original;
  const fallback = stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(original));
  return settings.number("attention_factor", { min: 0, fallback });
}

function numbers(settings: JsonObject, key: string, count: number): Float32Array {
  const list = settings.list(key);
  if (list.length === count && list.every((value) => typeof value === "number" && value > 0)) {
    return Float32Array.from(list as number[]);
  }
  throw settings.wrong(key, `a list of ${count} numbers above 0`);
}
