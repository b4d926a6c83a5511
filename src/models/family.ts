import type { DecoderSpec } from "../layers/decoder.ts";
import type { RopePairing } from "../layers/rope_table.ts";
import type { ModelBuilder } from "./builder.ts";
import type { ExpertHabits } from "./experts.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";

/** Everything that differs between model families. */
export interface ModelFamily {
  /** The value of `general.architecture` in GGUF files, and the namespace of their keys. */
  readonly architecture: string;
  /** How its RoPE pairs the elements of a head, which no file says. */
  readonly pairing: RopePairing;
  /** Which norm it has, and so which key says what is added to a variance or a mean square. Default: RMSNorm. */
  readonly norm?: "rms" | "layer";
  /** Whether it takes RoPE scaling of the type "longrope", whose factors are tensors. */
  readonly hasLongRope?: boolean;
  /** What it does with experts. Default: it has none. */
  readonly experts?: ExpertHabits;
  /**
   * Whether a layer has one part alone: attention, a state where it has neither heads of keys and values nor a feed-forward, or a
   * feed-forward. Default: attention or a state, and a feed-forward.
   */
  readonly hasOnePart?: boolean;
  /** Whether files say of layers without attention that they have no heads of keys and values. Default: all layers have some. */
  readonly hasHeadlessLayers?: boolean;
  /** Keys of its namespace that it reads beside those that every family has. */
  readonly ownKeys?: readonly string[];
  /**
   * What the family's own keys change of the hyperparameters that all families have, `h`. Throws ModelError where the file
   * says something that cannot be.
   */
  refine?(h: Hyperparameters, file: ModelHeader): Hyperparameters;
  /**
   * Says what the decoder is made of and declares each tensor once, before anything is read: what was declared is what a file
   * is checked against, what loading reads, and what a random model of the family has.
   */
  compose(h: Hyperparameters, builder: ModelBuilder): DecoderSpec;
}
