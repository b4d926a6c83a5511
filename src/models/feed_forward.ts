/** The feed-forward of a decoder layer, with a gate, or experts in its place. @module */

import { earlyRouter, experts } from "../layers/experts.ts";
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

/** What was declared. */
interface DeclaredFeedForward {
  /** What stands before attention. */
  readonly before: readonly LayerPlan[];
  plan(parts: FeedForwardParts): LayerPlan;
}

/** Declares the matrices of a layer's feed-forward, or of its experts, and gives what makes a plan of them. */
export function declareFeedForward(
  b: ModelBuilder,
  blk: string,
  hidden: number,
  shape: LayerShape,
  { fused = [], experts: options }: FeedForwardOptions,
): DeclaredFeedForward {
  const { ffn, experts: routed } = shape;
  if (routed !== undefined) {
    const { router, ...spec } = declareExperts(b, blk, hidden, { ...shape, experts: routed }, options);
    const isEarly = options?.routesLayerInput ?? false;
    return {
      before: isEarly ? [earlyRouter(router)] : [],
      plan: ({ postNorm, ...parts }) => ({
        ...experts({ ...spec, ...parts, router: isEarly ? undefined : router }),
        lacking: postNorm === undefined ? undefined : "a norm behind experts",
      }),
    };
  }
  const gated = {
    gate: b.matrix(`${blk}.ffn_gate.weight`, ffn, hidden),
    up: b.matrix(`${blk}.ffn_up.weight`, ffn, hidden),
    down: b.matrix(`${blk}.ffn_down.weight`, hidden, ffn, "residual"),
  };
  b.fuse(`${blk}.ffn_up.weight`, [gated.gate, gated.up], fused.includes("gate_up"));
  return { before: [], plan: (parts) => feedForward({ ...gated, ...parts }) };
}
