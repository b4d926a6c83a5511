/**
 * Fields that several of OpenAI's endpoints have, with those of vLLM's and llama.cpp's servers that have an
 * effect here.
 * @module
 */

import { tokenId } from "../../../protocol/options/kind.ts";
import { GENERATION } from "../../../protocol/options/generation.ts";
import { choice, flag, integer, list, object, text, UNUSED, word } from "../../schema/fields.ts";
import { aliasOf, fieldOf } from "../../schema/of_option.ts";
import type { FieldsOf } from "../../schema/read.ts";
import { URGENCY_FIELDS } from "../urgency.ts";
import { STRUCTURE_FIELDS } from "./structure.ts";
import { PART, PARTS_MAX, TEXT_MAX } from "./message_fields.ts";

const TOKENS_MAX = 2 ** 20;
const NAME_MAX = 256;
/** Most tokens that penalties look at. */
export const PENALTY_TOKENS_MAX = GENERATION.penaltyTokens.kind.max;

const token = integer(tokenId.min, tokenId.max);
const content = text(TEXT_MAX);
/** Token ids. */
export const tokens = (min: number) => list(token, min, TOKENS_MAX);

/** A text, a list of token ids, or up to `max` of one of these. */
export function prompts(max: number) {
  return choice(
    "a string or a list of strings or a list of integers or a list of lists of integers",
    [content, list(content, 1, max), tokens(1), list(tokens(1), 1, max)],
    { help: "A text, a list of token ids, or a list of one of these." },
  );
}

/** A limit of tokens, which clients also write as −1 for none. */
export const limit = (help: string) => integer(-1, GENERATION.maxTokens.kind.max, { help });

/** Alternatives to tokens whose log-probabilities are told. */
export const alternatives = (help: string) => fieldOf(GENERATION.logprobs, { help });

export const model = text(NAME_MAX, { help: "Name of the model as /v1/models tells it; may be left out." });

const sampler = text(32);

const PREDICTION = object(
  {
    type: word(["content"]),
    content: choice("a string or a list of objects", [content, list(PART, 0, PARTS_MAX)]),
  },
  {},
  { help: "What the answer is expected to be: it comes sooner where that is right, and is the same." },
);

/** What both kinds of generation have. */
export const GENERATION_FIELDS = {
  model,
  temperature: fieldOf(GENERATION.temperature),
  top_p: fieldOf(GENERATION.topP),
  top_k: fieldOf(GENERATION.topK),
  min_p: fieldOf(GENERATION.minP),
  repeat_penalty: fieldOf(GENERATION.repeatPenalty),
  repetition_penalty: aliasOf(GENERATION.repeatPenalty, "Another name of repeat_penalty."),
  presence_penalty: fieldOf(GENERATION.presencePenalty),
  frequency_penalty: fieldOf(GENERATION.frequencyPenalty),
  penalty_tokens: fieldOf(GENERATION.penaltyTokens),
  repeat_last_n: integer(-1, PENALTY_TOKENS_MAX, {
    help: `Another name of penalty_tokens; -1: ${PENALTY_TOKENS_MAX}, the most.`,
  }),
  samplers: choice("a string or a list of strings", [sampler, list(sampler, 0, 32)], {
    help: "Only the order that there is: penalties, top_k, top_p, min_p, temperature.",
  }),
  logit_bias: fieldOf(GENERATION.logitBias),
  seed: fieldOf(GENERATION.seed),
  n: integer(1, 8, { fallback: 1, help: "Answers to each prompt." }),
  stop: fieldOf(GENERATION.stop),
  stop_token_ids: fieldOf(GENERATION.stopTokens),
  ignore_eos: fieldOf(GENERATION.ignoreEnd),
  max_tokens: limit(GENERATION.maxTokens.docFor.client),
  n_predict: limit("Another name of max_tokens."),
  min_tokens: fieldOf(GENERATION.minTokens),
  skip_special_tokens: flag("false writes control tokens into the answer's text.", true),
  prompt_logprobs: fieldOf(GENERATION.promptLogprobs, {
    help:
      "Give the log-probability of each token of the prompt, and of so many likeliest alternatives. Not with `stream`.",
  }),
  stream: flag("Send the answer as server-sent events.", false),
  stream_options: object({}, {
    include_usage: flag("One more event at the end with the usage."),
    continuous_usage_stats: flag("Each event has the usage so far."),
  }, { others: { include_obfuscation: UNUSED }, help: "Only with `stream`." }),
  ...STRUCTURE_FIELDS,
  ...URGENCY_FIELDS,
  prediction: PREDICTION,
  cache_salt: text(1024, {
    min: 1,
    help: "What was computed for the prompt is only used again for requests with the same.",
  }),
  best_of: integer(1, 20, { help: "At most n: all answers that are computed are given." }),
};

const GENERATION_BODY = object({}, GENERATION_FIELDS);
/** These, read. */
export type GenerationFields = FieldsOf<typeof GENERATION_BODY>;
