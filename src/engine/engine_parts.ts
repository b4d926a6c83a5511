/** What an engine is made of, and what its steps are asked and say. @module */

import type { LatencyClass, PrefixCache, SpeculationOptions } from "../../scheduler/mod.ts";
import type { ThoughtFormat } from "../grammar/thoughts/format.ts";
import type { ModelRunner } from "../runner/model_runner.ts";
import type { StepPredictor } from "../runner/step_predictor.ts";
import type { ChatTemplate } from "../tokenizer/chat_template.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { ConstraintSource } from "./constraints.ts";
import type { DraftParts } from "./draft_model.ts";
import type { KvAllocator } from "./kv_pool.ts";
import type { PrefixStore } from "./prefix_store/store.ts";

/** What the engine needs of a model. */
export type StepRunner =
  & Pick<
    ModelRunner,
    | "staying"
    | "forward"
    | "logits"
    | "sample"
    | "score"
    | "hidden"
    | "contextLength"
    | "kvBytesPerToken"
    | "kvBytesPerSlot"
    | "kvWindows"
    | "batchTokensMax"
    | "logitsRowsMax"
    | "stateBytes"
    | "stateBlocks"
    | "stateSlots"
  >
  & { readonly predictor?: Pick<StepPredictor, "group" | "follow" | "keep" | "guess"> }
  & { readonly hyperparameters: { readonly vocab: number; readonly hidden: number } };

/** What an engine is made of. */
export interface EngineParts {
  runner: StepRunner;
  tokenizer: Tokenizer;
  /** Throws where the model has none: then only texts and tokens can be continued. */
  chatTemplate: Pick<ChatTemplate, "encode">;
  /** Hands out the blocks of the runner's KV cache. */
  allocator: KvAllocator;
  /** Most requests computed together; default: as many as can want logits in one step. */
  sequencesMax?: number;
  /** Default: `LIBRARY_CLASSES`. */
  classes?: readonly LatencyClass[];
  /** The oldest request of a class goes first after this many ms. */
  ageingMs?: number;
  /** Whether prompts that begin alike share what was computed for them; default true. */
  prefixCache?: boolean;
  /** Makes the store of prefixes for the engine's cache; default: none. */
  prefixStore?: (cache: PrefixCache, isBusy: () => boolean) => PrefixStore;
  /** Told that a request was taken, or refused, after something was read for it. */
  onRestored?: () => void;
  /** Set: hashes of the blocks of prompts are told, keyed with this. */
  prefixHashKey?: string;
  /** For answers that must follow a grammar. Default: there are none. */
  constraints?: ConstraintSource;
  /** How the model marks its thoughts in a conversation, if it does. */
  thoughts?: ThoughtFormat;
  /** How steps guess the next tokens of answers; default: they do not. */
  speculation?: Pick<SpeculationOptions, "source">;
  /** A smaller model that guesses, too. */
  draft?: DraftParts;
  /** Told which requests the next step computes, before it begins. */
  onStep?: (ids: readonly number[]) => void;
  /** Ms since 1970. */
  now?: () => number;
  /** A clock in ms that is never set, by which guesses of the model's own are timed; default: the system's. */
  clock?: () => number;
}

/** How a long step may be ended early, to no effect. */
export interface Interruption {
  /** Polled between ops: whether the step shall end. */
  readonly interrupted: () => boolean;
  /** The value of the runner's interrupt word with which the kernels go on; null: they do not look. */
  readonly expected?: number | null;
}

/** What became of a call of `Engine.step`. */
export interface StepOutcome {
  /** Whether there was anything to compute. */
  readonly hasComputed: boolean;
  /** If not: ms until there may be something. Undefined: not before a request comes. */
  readonly waitMs?: number;
}
