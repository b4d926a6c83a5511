/** Loads the model that guesses for another one. @module */

import { SPECULATING_MAX } from "../../scheduler/mod.ts";
import { stateBytesOf } from "../layers/state_shape.ts";
import { ModelError } from "../models/error.ts";
import type { EngineOptions } from "../protocol/engine_options.ts";
import { named, readModel } from "../runner/model_file.ts";
import { loadModelRunner, type ModelRunner, type RunnerOptions } from "../runner/model_runner.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { openWeights } from "./open_weights.ts";

/** The model that answers. */
interface Answering {
  readonly runner: Pick<ModelRunner, "contextLength" | "batchTokensMax">;
  readonly tokenizer: Tokenizer;
}

/** Loads a draft model. Throws as loading a model does, and ModelError for one with other tokens than the model that answers. */
export async function openDraft(
  path: string,
  options: EngineOptions,
  answering: Answering,
  own: Pick<RunnerOptions, "signal" | "onContext"> & { readonly signal: AbortSignal },
): Promise<ModelRunner> {
  try {
    using opened = await openWeights(path, { ...options, weights: undefined }, own.signal);
    const { file } = opened;
    const { tokenizer, hyperparameters: { contextLength: most, layers } } = readModel(file);
    if (stateBytesOf(layers) > 0) {
      throw new ModelError("A draft model whose layers keep a state of each sequence is not supported");
    }
    checkTokens(tokenizer, answering.tokenizer);
    const contextLength = Math.min(most, answering.runner.contextLength);
    return await loadModelRunner(file, {
      ...options,
      contextLength,
      kvTokens: SPECULATING_MAX * contextLength,
      batchTokensMax: answering.runner.batchTokensMax,
      logitsRowsMax: SPECULATING_MAX,
      ...own,
    });
  } catch (error) {
    throw named(path, error);
  }
}

/** A guess is a token of the model that answers. Its table may have more of them than the draft model's. */
function checkTokens(draft: Tokenizer, answering: Tokenizer): void {
  const count = Math.min(draft.vocabSize, answering.vocabSize);
  for (let id = 0; id < count; id++) {
    const one = draft.tokenText(id), other = answering.tokenText(id);
    if (one === other) continue;
    throw new ModelError(
      `A draft model must have the tokens of the model that answers: token ${id} is ${
        JSON.stringify(one)
      } in the one and ${JSON.stringify(other)} in the other`,
    );
  }
}
