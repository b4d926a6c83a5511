import type { UngatedActivation } from "../ffi/context.ts";
import type { FILE_POOLINGS } from "../gguf/describe.ts";
import type { MetadataReader } from "../gguf/metadata.ts";
import type { Sharpening } from "../layers/attention.ts";
import type { DecoderShape } from "../layers/shape.ts";

/** What the file says about the shape of the model. */
export interface Hyperparameters extends DecoderShape {
  architecture: string;
  /** The context that the model was trained for, in tokens. */
  contextLength: number;
  /** The context before RoPE was stretched for a longer one, in tokens. */
  originalContext: number;
  normEps: number;
  pooling: FilePooling;
  /** Multiplies the rows of the tokens. Default: 1. */
  embeddingScale?: number;
  /** Multiplies the products of queries and keys. Default: 1/√(elements of a key). */
  attentionScale?: number;
  /** Multiplies what attention and the feed-forward add to the residual stream. Default: 1. */
  residualScale?: number;
  /** Multiplies the logits. Default: 1. */
  logitScale?: number;
  /** How attention grows sharper with the position. Default: it does not. */
  sharpening?: Sharpening;
  /** Scores of attention become scoreCap · tanh(score / scoreCap). Default: they do not. */
  scoreCap?: number;
  /** Bound of queries, keys and values; 0: none. Default: none. */
  qkvClamp?: number;
  /** Whether attention and feed-forward read the same stream. Default: the family's way. */
  isParallel?: boolean;
  /** Layers of the file behind `layers` that predict tokens after the next; of them only `predictor` is computed. Default: none. */
  predictors?: number;
  /** Why the file's predictor is not computed, if it has one that could be. */
  predictorFault?: string;
  /** What the feed-forward of each layer does to its products, where files say that. */
  activations?: readonly UngatedActivation[];
  /** Logits become logitCap · tanh(logit / logitCap). Default: they do not. */
  logitCap?: number;
}

/** The rows of the tokens: a model has as many tokens as this tensor rows. */
export const TOKEN_TABLE = "token_embd.weight";

/** What a file says becomes of the hidden states of a text's tokens when it is embedded. */
export type FilePooling = typeof FILE_POOLINGS[number];

/** The parts of a GGUF file that describe a model. */
export interface ModelHeader {
  /** Where it lies, for messages. */
  readonly path?: string;
  readonly get: MetadataReader;
  /** `type` is GGUF's id; `dims` has the contiguous dimension first. */
  readonly tensors: ReadonlyMap<string, { readonly type: number; readonly dims: readonly number[] }>;
}
