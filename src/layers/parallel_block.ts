import { Attention, type AttentionSpec } from "./attention.ts";
import { FeedForward, type FeedForwardSpec } from "./feed_forward.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { madeBefore, StreamInput } from "./layer_input.ts";
import type { NormSpec } from "./tensors.ts";
import { UngatedFeedForward, type UngatedFeedForwardSpec } from "./ungated_feed_forward.ts";

/** A layer whose attention and feed-forward read the same residual stream. */
export interface ParallelSpec {
  /** Of the stream before both: [hidden]. */
  norm: NormSpec;
  /** A norm of its own counts where the file has its weights. */
  attention: AttentionSpec;
  /** A norm of its own counts where the file has its weights. */
  feedForward: FeedForwardSpec | UngatedFeedForwardSpec;
}

/** Plans the two parts of a layer as one. */
export function parallelBlock(spec: ParallelSpec): LayerPlan {
  return { create: (context) => new ParallelBlock(context, spec) };
}

/** A part in two steps. */
interface Part {
  /** Reads the residual stream and computes all that depends on it. */
  read(tokens: number): void;
  /** Adds the result to the stream. */
  add(tokens: number): void;
}

/**
 * x += attention(norm(x)) + feedForward(norm(x)), with one norm or two. Both read the stream before either adds to it, in the
 * regions that they use anyway: queries, keys and values, and what the feed-forward's second product reads. Wang & Komatsuzaki
 * 2021 (GPT-J).
 */
class ParallelBlock implements Layer {
  readonly #attention: Part;
  readonly #feedForward: Part;

  constructor(context: LayerContext, { norm, attention, feedForward }: ParallelSpec) {
    const { tensors } = context;
    const own = (part: { norm?: NormSpec }) => {
      return tensors.optionalVector(part.norm?.weight) === undefined ? undefined : part.norm;
    };
    const attentionReads = [attention.q, attention.k, attention.v].map((spec) => tensors.matrix(spec));
    const others = "gate" in feedForward ? [feedForward.gate, feedForward.up] : [feedForward.up];
    const feedForwardReads = others.map((spec) => tensors.matrix(spec));
    const attentionNorm = own(attention) ?? norm, feedForwardNorm = own(feedForward) ?? norm;
    const isShared = attentionNorm === feedForwardNorm;
    const readers = isShared ? [...attentionReads, ...feedForwardReads] : attentionReads;
    const first = new StreamInput(context, attentionNorm, readers);
    const second = isShared ? madeBefore(first) : new StreamInput(context, feedForwardNorm, feedForwardReads);
    this.#attention = new Attention(context, attention, first);
    this.#feedForward = "gate" in feedForward
      ? new FeedForward(context, feedForward, second)
      : new UngatedFeedForward(context, feedForward, second);
  }

  forward(tokens: number): void {
    this.#attention.read(tokens);
    this.#feedForward.read(tokens);
    this.#attention.add(tokens);
    this.#feedForward.add(tokens);
  }
}
