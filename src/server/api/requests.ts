/** The requests of the API: every field that there is, with its range. @module */

import { TEMPLATE_WORDS } from "../../tokenizer/template_options.ts";
import { CHAT_LIMITS } from "../../tokenizer/conversation.ts";
import { POOLINGS } from "../../protocol/request.ts";
import { samplingDefaults } from "../../protocol/options/sampling.ts";
import type { Field, Fields } from "./field.ts";
import {
  FOREIGN_CHAT_FIELDS,
  FOREIGN_EMBEDDING_FIELDS,
  FOREIGN_FIELDS,
  FOREIGN_TEXT_FIELDS,
  UNUSED,
} from "./foreign_fields.ts";
import { MESSAGE_FIELDS } from "./message_fields.ts";

const TEXT_MAX = 2 ** 22;
const TOKENS_MAX = 2 ** 20;
const TOKEN_MAX = 2 ** 24;
const PROMPTS_MAX = 128;
/** Most answers to one request, prompts times `n`: evaluation tools send so many prompts together. */
export const ANSWERS_MAX = 128;
/** Most texts in a request for embeddings. */
const EMBEDDINGS_MAX = 2048;
const TOP_LOGPROBS_MAX = 20;
const NAME_MAX = 256;
/** Most tokens that penalties look at. */
export const PENALTY_TOKENS_MAX = 4096;

const token: Field = { type: "integer", min: 0, max: TOKEN_MAX };
/** A limit of tokens, which clients also write as −1 for none. */
const limit = (help: string): Field => ({
  type: "choice",
  of: [{ type: "constant", values: [-1] }, { type: "integer", min: 0, max: 2 ** 31 }],
  help,
});
const flag = (help: string): Field => ({ type: "boolean", help });

/** What both kinds of generation have. */
const COMMON = {
  model: {
    type: "string",
    max: NAME_MAX,
    help: "Name of the model as /v1/models tells it; may be left out.",
  },
  temperature: {
    type: "number",
    min: 0,
    max: 2,
    fallback: samplingDefaults.temperature,
    help: "0 takes the likeliest token each time.",
  },
  top_p: {
    type: "number",
    min: 0,
    max: 1,
    fallback: samplingDefaults.topP,
    help: "Only the likeliest tokens that together have this probability.",
  },
  top_k: {
    type: "integer",
    min: -1,
    max: 2 ** 20,
    fallback: samplingDefaults.topK,
    help: "Only this many of the likeliest tokens; 0 or -1: all.",
  },
  min_p: {
    type: "number",
    min: 0,
    max: 1,
    fallback: samplingDefaults.minP,
    help: "Only tokens at least this likely, relative to the likeliest.",
  },
  repeat_penalty: {
    type: "number",
    min: 0.01,
    max: 10,
    fallback: samplingDefaults.repeatPenalty,
    help: "Over 1 makes recent tokens less likely.",
  },
  repetition_penalty: { type: "number", min: 0.01, max: 10, help: "Another name of repeat_penalty." },
  presence_penalty: {
    type: "number",
    min: -2,
    max: 2,
    fallback: samplingDefaults.presencePenalty,
    help: "Subtracted once from the logits of recent tokens.",
  },
  frequency_penalty: {
    type: "number",
    min: -2,
    max: 2,
    fallback: samplingDefaults.frequencyPenalty,
    help: "Subtracted for each recent occurrence of a token.",
  },
  penalty_tokens: {
    type: "integer",
    min: 0,
    max: PENALTY_TOKENS_MAX,
    fallback: samplingDefaults.penaltyTokens,
    help: "How many of the latest tokens the three penalties look at.",
  },
  repeat_last_n: {
    type: "integer",
    min: -1,
    max: PENALTY_TOKENS_MAX,
    help: `Another name of penalty_tokens; -1: ${PENALTY_TOKENS_MAX}, the most.`,
  },
  samplers: {
    type: "choice",
    of: [
      { type: "string", max: 32 },
      { type: "list", min: 0, max: 32, of: { type: "string", max: 32 } },
    ],
    help: "Only the order that there is: penalties, top_k, top_p, min_p, temperature.",
  },
  logit_bias: {
    type: "record",
    keys: "tokens",
    max: 1024,
    of: { type: "number", min: -100, max: 100 },
    help: "Added to the logits of tokens, by id.",
  },
  seed: {
    type: "integer",
    min: -1,
    max: Number.MAX_SAFE_INTEGER,
    help:
      "The same request with the same seed gives the same tokens; -1: a random one. Answer i of several has seed + i.",
  },
  n: { type: "integer", min: 1, max: 8, fallback: 1, help: "Answers to each prompt." },
  stop: {
    type: "choice",
    of: [
      { type: "string", min: 1, max: 256 },
      { type: "list", min: 0, max: 16, of: { type: "string", min: 1, max: 256 } },
    ],
    help: "The answer ends before the first of these strings.",
  },
  stop_token_ids: { type: "list", min: 0, max: 256, of: token, help: "Tokens that end the answer." },
  ignore_eos: { type: "boolean", fallback: false, help: "Go on when the model says that it is done." },
  max_tokens: limit(
    "Most tokens of the answer; default, and -1: until the context is full. 0: only the prompt is computed.",
  ),
  n_predict: limit("Another name of max_tokens."),
  min_tokens: {
    type: "integer",
    min: 0,
    max: 2 ** 31,
    fallback: 0,
    help: "The answer does not end before it has so many tokens.",
  },
  skip_special_tokens: {
    type: "boolean",
    fallback: true,
    help: "false writes control tokens into the answer's text.",
  },
  prompt_logprobs: {
    type: "integer",
    min: 0,
    max: TOP_LOGPROBS_MAX,
    help:
      "Give the log-probability of each token of the prompt, and of so many likeliest alternatives. Not with `stream`.",
  },
  stream: { type: "boolean", fallback: false, help: "Send the answer as server-sent events." },
  stream_options: {
    type: "object",
    fields: {
      include_usage: { type: "boolean", help: "One more event at the end with the usage." },
      continuous_usage_stats: flag("Each event has the usage so far."),
      include_obfuscation: UNUSED,
    },
    help: "Only with `stream`.",
  },
  class: {
    type: "string",
    min: 1,
    max: NAME_MAX,
    help:
      'Latency class; also as the header x-kumi-class. Default: "interactive", or the highest where there is none of that name.',
  },
  deadline_ms: {
    type: "number",
    min: 1,
    max: 2 ** 31,
    help:
      "Ends the answer so many ms after the request, with what it has by then; also as x-kumi-deadline-ms.",
  },
  priority: {
    type: "integer",
    min: -100,
    max: 100,
    fallback: 0,
    help: "Higher goes first within the class.",
  },
  cache_salt: {
    type: "string",
    min: 1,
    max: 1024,
    help: "What was computed for the prompt is only used again for requests with the same.",
  },
  best_of: {
    type: "integer",
    min: 1,
    max: 20,
    help: "At most n: all answers that are computed are given.",
  },
  ...FOREIGN_FIELDS,
} as const satisfies Fields;

/** POST /v1/chat/completions */
export const CHAT_FIELDS = {
  messages: {
    type: "list",
    required: true,
    min: 1,
    max: CHAT_LIMITS.messages,
    of: { type: "object", fields: MESSAGE_FIELDS },
  },
  ...COMMON,
  max_completion_tokens: limit("The newer name of max_tokens."),
  logprobs: { type: "boolean", fallback: false, help: "Give the log-probability of each token." },
  top_logprobs: {
    type: "integer",
    min: 0,
    max: TOP_LOGPROBS_MAX,
    help: "And of so many likeliest alternatives; only with `logprobs`.",
  },
  chat_template_kwargs: {
    type: "record",
    keys: "names",
    max: 32,
    of: {
      type: "choice",
      of: [
        { type: "boolean" },
        { type: "number", min: -1e9, max: 1e9 },
        { type: "string", max: 16, values: TEMPLATE_WORDS },
      ],
    },
    help:
      "Variables for chat templates that know them, such as enable_thinking. Texts would be a part of the prompt: only these words.",
  },
  enable_thinking: flag("As in chat_template_kwargs."),
  reasoning_effort: {
    type: "string",
    max: 16,
    help: "low, medium or high, for chat templates that know it; none: enable_thinking is false, else true.",
  },
  continue_final_message: flag(
    "The answer goes on with the last message instead of a new one. Default: with an assistant's.",
  ),
  add_generation_prompt: flag(
    "true: a new message of the assistant after the last one, whose ever that is; false: what the template writes without.",
  ),
  ...FOREIGN_CHAT_FIELDS,
} as const satisfies Fields;

/** POST /v1/completions */
export const TEXT_FIELDS = {
  prompt: {
    type: "choice",
    required: true,
    of: [
      { type: "string", max: TEXT_MAX },
      { type: "list", min: 1, max: PROMPTS_MAX, of: { type: "string", max: TEXT_MAX } },
      { type: "list", min: 1, max: TOKENS_MAX, of: token },
      { type: "list", min: 1, max: PROMPTS_MAX, of: { type: "list", min: 1, max: TOKENS_MAX, of: token } },
    ],
    help: "A text, a list of token ids, or a list of one of these.",
  },
  ...COMMON,
  logprobs: {
    type: "integer",
    min: 0,
    max: TOP_LOGPROBS_MAX,
    help: "Give the log-probability of each token, and of so many likeliest alternatives.",
  },
  echo: {
    type: "boolean",
    fallback: false,
    help: "Begin the text, and with `logprobs` the lists of tokens, with the prompt.",
  },
  ...FOREIGN_TEXT_FIELDS,
} as const satisfies Fields;

/** POST /v1/embeddings */
export const EMBEDDING_FIELDS = {
  input: {
    type: "choice",
    required: true,
    of: [
      { type: "string", max: TEXT_MAX },
      { type: "list", min: 1, max: EMBEDDINGS_MAX, of: { type: "string", max: TEXT_MAX } },
      { type: "list", min: 1, max: TOKENS_MAX, of: token },
      { type: "list", min: 1, max: EMBEDDINGS_MAX, of: { type: "list", min: 1, max: TOKENS_MAX, of: token } },
    ],
    help: "A text, a list of token ids, or a list of one of these.",
  },
  model: COMMON.model,
  encoding_format: {
    type: "string",
    max: 8,
    values: ["float", "base64"],
    fallback: "float",
    help: "base64: the bytes of little-endian f32 values.",
  },
  dimensions: {
    type: "integer",
    min: 1,
    max: 2 ** 20,
    help:
      "Only so many elements from the beginning, made a vector of length 1 again; default: all that the model has.",
  },
  pooling: {
    type: "string",
    max: 8,
    values: POOLINGS,
    help:
      "The mean of the hidden states of all tokens, or the last one; default: what the model's file says, else the mean.",
  },
  class: COMMON.class,
  deadline_ms: {
    ...COMMON.deadline_ms,
    help: "Refuses, or gives up, what is not there so many ms after the request; also as x-kumi-deadline-ms.",
  },
  priority: COMMON.priority,
  ...FOREIGN_EMBEDDING_FIELDS,
} as const satisfies Fields;

/** POST /tokenize */
export const TOKENIZE_FIELDS = {
  model: COMMON.model,
  content: { type: "string", max: TEXT_MAX, help: "The text." },
  prompt: { type: "string", max: TEXT_MAX, help: "The text, as vLLM's clients call it." },
  add_special: {
    type: "boolean",
    fallback: true,
    help: "Begin as a prompt begins: with BOS where the model wants it.",
  },
  add_special_tokens: flag("Another name of add_special."),
  parse_special: flag("Read control tokens in the text; default false, with `prompt` true, as vLLM does."),
} as const satisfies Fields;

/** POST /detokenize */
export const DETOKENIZE_FIELDS = {
  model: COMMON.model,
  tokens: { type: "list", min: 0, max: TOKENS_MAX, of: token, required: true },
  special: { type: "boolean", fallback: false, help: "Write control tokens, too." },
} as const satisfies Fields;
