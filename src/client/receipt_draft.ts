/** From an answer on its way to its receipt. @module */

import type { Completion, StepEvent } from "../protocol/answer.ts";
import { nodeCrypto } from "../process/node.ts";
import { EngineError } from "../protocol/errors.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import { NUMERICS_VERSION } from "../protocol/numerics.ts";
import { type Receipt, RECEIPT_VERSION, type ReceiptSampling } from "../protocol/receipts/receipt.ts";
import { type PromptDigest, TokenChain } from "../protocol/receipts/token_chain.ts";
import type { GenerationRequest } from "../protocol/request.ts";
import type { SamplingParams } from "../protocol/sampling.ts";
import { VERSION } from "../protocol/version.ts";

/** What a receipt says of the model. */
export interface ReceiptModel {
  readonly info: Pick<ModelInfo, "kvFormat" | "instructions" | "contextLength">;
  /** The format to which its weights were quantised while it was loaded. */
  readonly weights?: string;
  /** SHA-256 of its file. Rejects where nobody can tell. */
  sha256(): Promise<string>;
}

/** Follows an answer that is to be proven. */
export class ReceiptDraft {
  readonly #model: ReceiptModel;
  readonly #request: GenerationRequest;
  #prompt?: { readonly tokens: number; readonly digest: PromptDigest };
  #chain?: TokenChain;

  constructor(request: GenerationRequest, model: ReceiptModel) {
    nodeCrypto(); // now, and not in the middle of a step's events
    this.#request = request;
    this.#model = model;
  }

  /** Takes what a step gave. After a worker's end the prompt is told again, and only tokens that are new. */
  push({ promptTokens, promptDigest, tokens }: StepEvent): void {
    if (promptTokens !== undefined && promptDigest !== undefined) {
      this.#prompt ??= { tokens: promptTokens, digest: promptDigest };
      this.#chain ??= new TokenChain(promptDigest);
    }
    this.#chain?.push(tokens);
  }

  /** The receipt of the answer, without a signature. Rejects where the model's file is not what was loaded any more. */
  async finish({ finishReason }: Completion): Promise<Receipt> {
    const prompt = this.#prompt, chain = this.#chain;
    if (prompt === undefined || chain === undefined) {
      throw new EngineError("The request ended before it was taken: there is nothing to give a receipt for");
    }
    const { sampling, submittedAt } = this.#request;
    const { info, weights } = this.#model;
    const time = new Date(submittedAt);
    return {
      kumi_receipt: RECEIPT_VERSION,
      kumi: VERSION,
      time: time.toISOString(),
      utc_offset_minutes: -time.getTimezoneOffset(),
      model: { sha256: await this.#model.sha256(), ...weights === undefined ? {} : { weights } },
      numerics: NUMERICS_VERSION,
      kv_format: info.kvFormat,
      ...info.instructions === undefined ? {} : { instructions: info.instructions },
      context_length: info.contextLength,
      sampling: samplingOf(sampling),
      prompt: { tokens: prompt.tokens, sha256: prompt.digest.sha256 },
      answer: { tokens: chain.tokens, sha256: chain.sha256, marks: chain.marks, finish_reason: finishReason },
    };
  }
}

function samplingOf(params: SamplingParams): ReceiptSampling {
  return {
    temperature: params.temperature,
    top_k: params.topK,
    top_p: params.topP,
    min_p: params.minP,
    repeat_penalty: params.repeatPenalty,
    presence_penalty: params.presencePenalty,
    frequency_penalty: params.frequencyPenalty,
    penalty_tokens: params.penaltyTokens,
    logit_bias: params.logitBias.map(([token, bias]) => [token, bias] as const),
    seed: params.seed,
  };
}
