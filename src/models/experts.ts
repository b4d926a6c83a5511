/** Mixtures of experts: what files say of them, and the tensors that they have. @module */

import type { MetadataReader } from "../gguf/metadata.ts";
import { limits } from "../ffi/symbols.ts";
import type { ExpertsSpec } from "../layers/experts.ts";
import type { ExpertsShape, LayerShape } from "../layers/shape.ts";
import type { MatrixSpec } from "../layers/tensors.ts";
import type { ModelBuilder } from "./builder.ts";
import { ModelError } from "./error.ts";

/** What {@linkcode withExperts} reads. */
export const EXPERT_KEYS: readonly string[] = [
  "expert_count",
  "expert_used_count",
  "expert_shared_count",
  "expert_feed_forward_length",
  "expert_shared_feed_forward_length",
  "expert_gating_func",
  "expert_weights_norm",
  "expert_weights_scale",
  "expert_group_count",
  "expert_group_used_count",
  "leading_dense_block_count",
  "interleave_moe_layer_step",
];

/** Sizes of feed-forwards that files give; 0: they do not. */
interface FeedForwardSizes {
  /** Of the layer: `feed_forward_length`. */
  ffn: number;
  expert: number;
  shared: number;
  sharedCount: number;
  used: number;
}

/** What a family does with experts where its files say nothing. */
export interface ExpertHabits {
  /** Default: softmax. */
  scoring?: ExpertsShape["scoring"];
  /** Whether weights of the chosen ones are divided by their sum. Default: they are. */
  normalise?: boolean;
  /** The size of an expert where files do not give it. Default: the layer's. */
  ffn?: (sizes: FeedForwardSizes) => number;
  /** The size of the shared expert, 0 for none. Default: what files give. */
  shared?: (sizes: FeedForwardSizes) => number;
}

const SCORINGS = ["softmax", "sigmoid", "logits"] as const;
const FFN_MAX = 1 << 20;

/**
 * The layers with the experts that the file gives them, as the family has them, `habits`. Throws ModelError where it has none or values contradict,
 * GgufError for values out of range.
 */
export function withExperts(
  get: MetadataReader,
  architecture: string,
  habits: ExpertHabits | undefined,
  layers: readonly LayerShape[],
): LayerShape[] {
  const u32 = (key: string, max: number, fallback: number, min = 0) =>
    get.u32(`${architecture}.${key}`, { min, max, fallback });
  const count = u32("expert_count", 0xffff, 0);
  if (count === 0) return [...layers];
  if (habits === undefined) {
    throw new ModelError(`${architecture} with experts is not supported, this one has ${count}`);
  }
  if (count > limits.expertsMax) {
    throw new ModelError(
      `${architecture}.expert_count is ${count}: at most ${limits.expertsMax} are supported`,
    );
  }
  const used = get.u32(`${architecture}.expert_used_count`, {
    min: 1,
    max: Math.min(count, limits.expertsUsedMax),
  });
  const routing = readRouting(get, architecture, habits, count, used);
  const lead = u32("leading_dense_block_count", layers.length, 0);
  const step = u32("interleave_moe_layer_step", layers.length, 1, 1);
  const sizes = {
    used,
    expert: u32("expert_feed_forward_length", FFN_MAX, 0),
    shared: u32("expert_shared_feed_forward_length", FFN_MAX, 0),
    sharedCount: u32("expert_shared_count", 0xff, 0),
  };
  return layers.map((layer, i) => {
    // Of layers with one part alone those without a feed-forward have no experts either.
    if (i < lead || (i + 1) % step !== 0 || layer.ffn === 0) return layer;
    const given = { ...sizes, ffn: layer.ffn };
    const ffn = sizes.expert || (habits.ffn?.(given) ?? layer.ffn);
    const shared = habits.shared?.({ ...given, expert: ffn }) ?? sizes.shared;
    return { ...layer, ffn: shared, experts: { ...routing, ffn } };
  });
}

function readRouting(
  get: MetadataReader,
  architecture: string,
  habits: ExpertHabits,
  experts: number,
  used: number,
): Omit<ExpertsShape, "ffn"> {
  const key = (name: string) => `${architecture}.${name}`;
  const scoring = get.u32(key("expert_gating_func"), { max: SCORINGS.length, fallback: 0 });
  const groups = get.u32(key("expert_group_count"), { max: experts, fallback: 1 }) || 1;
  const groupsUsed = get.u32(key("expert_group_used_count"), { max: groups, fallback: groups }) || groups;
  if (experts % groups !== 0 || experts / groups * groupsUsed < used) {
    throw new ModelError(
      `${used} of ${experts} experts cannot be chosen from ${groupsUsed} of ${groups} groups`,
    );
  }
  return {
    experts,
    used,
    scoring: scoring === 0 ? habits.scoring ?? "softmax" : SCORINGS[scoring - 1],
    normalise: get.bool(key("expert_weights_norm"), { fallback: habits.normalise ?? true }),
    scale: get.f32(key("expert_weights_scale"), { min: 0, max: 1e6, fallback: 1 }) || 1,
    groups,
    groupsUsed,
  };
}

/** What differs from Mixtral in the experts of a layer. */
export interface ExpertOptions {
  /** A vector that is added to scores where experts are chosen. Default: none. */
  choiceBias?: "required" | "optional";
  /** Whether the router and the experts' products have biases. Default: they have none. */
  biases?: boolean;
  /** Whether experts, and shared ones, have no gate. Default: they have one. */
  isUngated?: boolean;
  /** Whether the family's files usually have gates and ups in one tensor `ffn_gate_up_exps`, as those of all families may. */
  isFused?: boolean;
  /** Whether the router reads what the layer reads, as it is, and not what the experts do. Default: it does not. */
  routesLayerInput?: boolean;
  /** Whether the shared expert is multiplied by the sigmoid of a product. Default: it is not. */
  sharedFactor?: boolean;
}

/** Declares the tensors of a layer's experts, whose names begin with `blk`. Throws ModelError for sizes that kernels do not take. */
export function declareExperts(
  b: ModelBuilder,
  blk: string,
  hidden: number,
  { ffn: shared, experts: shape }: LayerShape & { experts: ExpertsShape },
  { choiceBias, biases, sharedFactor, isFused = false, isUngated = false }: ExpertOptions = {},
): Omit<ExpertsSpec, "activation" | "norm"> & { router: MatrixSpec } {
  const { experts, ffn } = shape;
  for (const [what, size] of [["hidden states", hidden], ["feed-forwards", ffn]] as const) {
    if (size % limits.panelRows === 0) continue;
    throw new ModelError(
      `experts with ${what} of ${size} elements: only multiples of ${limits.panelRows} are supported`,
    );
  }
  const bias = (name: string, rows: number) => b.expertVectors(`${blk}.${name}.bias`, experts, rows, "bias");
  const choice = `${blk}.exp_probs_b.bias`;
  const router = b.matrix(`${blk}.ffn_gate_inp.weight`, experts, hidden, "router");
  const gate = isUngated ? undefined : b.expertMatrices(`${blk}.ffn_gate_exps.weight`, experts, ffn, hidden);
  const up = b.expertMatrices(`${blk}.ffn_up_exps.weight`, experts, ffn, hidden);
  if (gate !== undefined) b.fuse(`${blk}.ffn_gate_up_exps.weight`, [gate, up], isFused);
  return {
    shape,
    router,
    gate,
    up,
    down: b.expertMatrices(`${blk}.ffn_down_exps.weight`, experts, hidden, ffn, "residual"),
    routerBias: biases ? b.vector(`${blk}.ffn_gate_inp.bias`, experts, "bias") : undefined,
    biases: biases
      ? {
        gate: gate && bias("ffn_gate_exps", ffn),
        up: bias("ffn_up_exps", ffn),
        down: bias("ffn_down_exps", hidden),
      }
      : undefined,
    choiceBias: choiceBias &&
      (choiceBias === "required" ? b.vector : b.optionalVector).call(b, choice, experts, "bias"),
    shared: shared === 0 ? undefined : {
      gate: isUngated ? undefined : b.matrix(`${blk}.ffn_gate_shexp.weight`, shared, hidden),
      up: b.matrix(`${blk}.ffn_up_shexp.weight`, shared, hidden),
      down: b.matrix(`${blk}.ffn_down_shexp.weight`, hidden, shared, "residual"),
      factor: sharedFactor ? b.matrix(`${blk}.ffn_gate_inp_shexp.weight`, 1, hidden, "router") : undefined,
    },
  };
}
