import type { FilePooling } from "../models/hyperparameters.ts";
import type { GapTokens } from "../tokenizer/gap_tokens.ts";
import type { RerankPrompt } from "../tokenizer/rerank_prompt.ts";
import type { Thoughts } from "../grammar/thoughts/with_thoughts.ts";
import type { FileSampling } from "./file_sampling.ts";

/** How a model calls tools. */
export interface ToolCalls {
  /** Name of the format. */
  readonly format: string;
  /** Whether its chat template knows tools; otherwise the system message tells of them. */
  readonly isNative: boolean;
  /** Which of the format's signs are control tokens. */
  readonly control: readonly string[];
}

/** What a loaded model is. */
export interface ModelInfo {
  architecture: string;
  /** The name that the file gives, if any. */
  name?: string;
  /** Number of weights. */
  parameters: number;
  /** Bytes of the tensors in the file. */
  weightBytes: number;
  layers: number;
  hidden: number;
  /**
   * Query heads, key and value heads, and the elements of a head: the first layer's, others may have their
   * own.
   */
  heads: number;
  kvHeads: number;
  headDim: number;
  vocab: number;
  /** Longest sequence as loaded, in tokens. */
  contextLength: number;
  /** Longest sequence that the model was trained for, in tokens. */
  trainedContextLength: number;
  /** Bytes of keys and values per token. */
  kvBytesPerToken: number;
  /** Tokens that the KV cache of each worker holds. */
  kvTokens: number;
  /** How keys and values are stored. */
  kvFormat: string;
  /** What the file says about embeddings; "none" where it says nothing. */
  pooling: FilePooling;
  /**
   * The latency class of requests that name none: "interactive", or the highest where there is none of that
   * name.
   */
  defaultClass: string;
  hasChatTemplate: boolean;
  /** How it calls tools. */
  toolCalls: ToolCalls;
  /** How it marks its thoughts; undefined where its chat template knows none. */
  thoughts?: Thoughts;
  /** Names of the tokens that begin and end a text, where the model has such. */
  bosToken?: string;
  eosToken?: string;
  /** The tokens with which it is asked to fill a gap between two texts, where it has such. */
  gap?: GapTokens;
  /** How it is asked whether a document answers a query, where it was trained to be. */
  rerankPrompt?: RerankPrompt;
  /** How the file would have its model sampled; used where a request says nothing. */
  sampling: FileSampling;
  /** Sentences about what is otherwise than the file or a user would have it, such as a shorter context. */
  notes: readonly string[];
  /** The instruction set level in use. */
  isa: string;
  /**
   * The instructions that multiply BF16 weights, where there are such: the only ones on which an answer's bits depend. Levels with the
   * same have the same bits.
   */
  instructions?: string;
  /**
   * Equal where the same request with the same seed has the same answer: made of kumi's version and that of its numbers, the file,
   * the KV cache's format and, for weights in BF16 alone, the instructions.
   */
  fingerprint: string;
  threads: number;
}
