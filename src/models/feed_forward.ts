/** The feed-forward of a decoder layer, with a gate, or experts in its place. @module */

import { experts } from "../layers/experts.ts";
import { feedForward, type FeedForwardSpec } from "../layers/feed_forward.ts";
import type { LayerPlan } from "../layers/layer.ts";
import type { LayerShape } from "../layers/shape.ts";
import type { ModelBuilder } from "./builder.ts";
import { declareExperts, type ExpertOptions } from "./experts.ts";

/** What a family says of it. */
interface FeedForwardOptions {
  readonly fused?: readonly string[];
  readonly experts?: ExpertOptions;
}

/** What feed-forwards of all kinds have. */
type FeedForwardParts = Pick<FeedForwardSpec, "norm" | "activation" | "postNorm">;

/** Declares the matrices of a layer's feed-forward, or of its experts, and gives what makes a plan of them. */
export function declareFeedForward(
  b: ModelBuilder,
  blk: string,
  hidden: number,
  shape: LayerShape,
  { fused = [], experts: options }: FeedForwardOptions,
): (parts: FeedForwardParts) => LayerPlan {
  const { ffn, experts: routed } = shape;
  if (routed !== undefined) {
    const spec = declareExperts(b, blk, hidden, { ...shape, experts: routed }, options);
    return ({ postNorm, ...parts }) => ({
      ...experts({ ...spec, ...parts }),
      lacking: postNorm === undefined ? undefined : "a norm behind experts",
    });
  }
  const gated = {
    gate: b.matrix(`${blk}.ffn_gate.weight`, ffn, hidden),
    up: b.matrix(`${blk}.ffn_up.weight`, ffn, hidden),
    down: b.matrix(`${blk}.ffn_down.weight`, hidden, ffn, "residual"),
  };
  b.fuse(`${blk}.ffn_up.weight`, [gated.gate, gated.up], fused.includes("gate_up"));
  return (parts) => feedForward({ ...gated, ...parts });
}
