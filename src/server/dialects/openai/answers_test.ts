import { assertEquals } from "@std/assert";
import type { GenerationResult } from "../../../client/generation.ts";
import type { Usage } from "../../../protocol/answer.ts";
import { usageOf } from "./answers.ts";

const result = (more: Partial<Usage> = {}) =>
  ({ usage: { promptTokens: 9, cachedTokens: 4, completionTokens: 20, ...more } }) as GenerationResult;

Deno.test("usageOf() has details of what is known: thoughts, and guesses from a prediction", () => {
  assertEquals(usageOf([result()], 1).completion_tokens_details, undefined);
  assertEquals(usageOf([result({ reasoningTokens: 3 })], 1).completion_tokens_details, {
    reasoning_tokens: 3,
  });
  const predicted = [
    result({ acceptedPredictionTokens: 12, rejectedPredictionTokens: 2 }),
    result({ acceptedPredictionTokens: 1, rejectedPredictionTokens: 0 }),
  ];
  assertEquals(usageOf(predicted, 2), {
    prompt_tokens: 9,
    completion_tokens: 40,
    total_tokens: 49,
    prompt_tokens_details: { cached_tokens: 4 },
    completion_tokens_details: { accepted_prediction_tokens: 13, rejected_prediction_tokens: 2 },
  });
});
