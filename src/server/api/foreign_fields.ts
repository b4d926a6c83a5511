/**
 * What clients of OpenAI's, vLLM's and llama.cpp's servers send besides: fields that change nothing in an answer, and fields
 * that ask for what is not there.
 *
 * @module
 */

import type { Field, Fields } from "./field.ts";

/** Taken whatever it holds. */
export const UNUSED: Field = { type: "any" };

/** Fields that are taken whatever they hold. */
export function unused(names: readonly string[]): Record<string, Field> {
  return Object.fromEntries(names.map((name) => [name, UNUSED]));
}

/** A field that must not ask for anything; `values` and what is empty do not, where it says so. */
function unsupported(
  what: string,
  { values, empty }: { values?: readonly (string | number | boolean)[]; empty?: true } = {},
): Field {
  return { type: "unsupported", what: `${what} by this server`, values, empty };
}

const SAMPLER = (name: string) => `${name} is not supported`;
const GRAMMAR = "Answers that keep to a grammar or schema are not supported";
const THOUGHTS = "A budget for thoughts is not supported";
const TOOLS = "Tools are not supported by this server yet";

/** In requests for chats and for completions. */
export const FOREIGN_FIELDS = {
  ...unused([
    // OpenAI's.
    ...["user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"],
    ...["store", "service_tier", "metadata", "verbosity", "prediction"],
    // vLLM's.
    ...["request_id", "spaces_between_special_tokens", "length_penalty", "early_stopping"],
    ...[
      "guided_decoding_backend",
      "guided_whitespace_pattern",
      "truncation_side",
      "session_id",
      "stream_interval",
    ],
    ...["return_token_offsets", "return_mm_kwargs", "routed_experts_prompt_start"],
    // llama.cpp's: where a prompt is kept, what is told beside the answer, and settings of samplers that are off.
    ...["cache_prompt", "id_slot", "n_keep", "n_discard", "n_cache_reuse", "penalize_nl"],
    ...["timings_per_token", "return_progress", "return_tokens", "response_fields", "sse_ping_interval"],
    ...["mirostat_tau", "mirostat_eta", "dynatemp_exponent", "xtc_threshold", "adaptive_decay"],
    ...["dry_base", "dry_allowed_length", "dry_penalty_last_n", "dry_sequence_breakers", "smoothing_curve"],
    ...[
      "preserved_tokens",
      "grammar_lazy",
      "grammar_triggers",
      "backend_sampling",
      "t_max_prompt_ms",
      "chat_format",
    ],
    ...["type", "n_min", "n_max", "p_min", "ngram_size_n", "ngram_size_m", "ngram_m_hits"].map((name) =>
      `speculative.${name}`
    ),
    ...["start_tag", "end_tag", "message", "arm_immediately"].map((name) => `reasoning_budget_${name}`),
  ]),
  mirostat: unsupported(SAMPLER("Mirostat"), { values: [0] }),
  dynatemp_range: unsupported(SAMPLER("Dynamic temperature"), { values: [0] }),
  dry_multiplier: unsupported(SAMPLER("DRY sampling"), { values: [0] }),
  xtc_probability: unsupported(SAMPLER("XTC sampling"), { values: [0] }),
  typical_p: unsupported(SAMPLER("Typical sampling"), { values: [1] }),
  tfs_z: unsupported(SAMPLER("Tail-free sampling"), { values: [1] }),
  top_a: unsupported(SAMPLER("Top-a sampling"), { values: [0] }),
  top_n_sigma: unsupported(SAMPLER("Top-nσ sampling"), { values: [-1, 0] }),
  smoothing_factor: unsupported(SAMPLER("Smooth sampling"), { values: [0] }),
  adaptive_target: unsupported(SAMPLER("Adaptive-p sampling"), { values: [-1] }),
  min_keep: unsupported("A least number of candidates is not supported", { values: [0, 1] }),
  moderation: unsupported("Moderation is not supported"),
  watermarking: unsupported("Watermarks are not supported", { values: [false] }),
  repetition_detection: unsupported("An end at repetitions is not supported"),
  logprob_token_ids: unsupported("Log-probabilities of chosen tokens are not supported", { empty: true }),
  thinking_token_budget: unsupported(THOUGHTS, { values: [-1] }),
  reasoning_budget: unsupported(THOUGHTS, { values: [-1] }),
  reasoning_budget_tokens: unsupported(THOUGHTS, { values: [-1] }),
  thinking_budget_tokens: unsupported(THOUGHTS, { values: [-1] }),
  response_format: {
    type: "object",
    fields: {
      type: {
        type: "unsupported",
        required: true,
        values: ["text"],
        what: "Answers in a JSON format are not supported by this server yet",
      },
      ...unused(["json_schema", "schema", "strict", "structures", "triggers", "format"]),
    },
  },
  use_beam_search: unsupported("Beam search is not supported", { values: [false] }),
  logits_processors: unsupported("Logits processors are not supported", { empty: true }),
  allowed_token_ids: unsupported("A list of allowed tokens is not supported"),
  bad_words: unsupported("A list of bad words is not supported; logit_bias can forbid tokens", {
    empty: true,
  }),
  grammar: unsupported(GRAMMAR, { empty: true }),
  json_schema: unsupported(GRAMMAR),
  guided_json: unsupported(GRAMMAR),
  guided_regex: unsupported(GRAMMAR, { empty: true }),
  guided_choice: unsupported(GRAMMAR, { empty: true }),
  guided_grammar: unsupported(GRAMMAR, { empty: true }),
  structured_outputs: unsupported(GRAMMAR),
  regex: unsupported(GRAMMAR, { empty: true }),
  ebnf: unsupported(GRAMMAR, { empty: true }),
  lora: unsupported("LoRA adapters are not supported", { empty: true }),
  include_stop_str_in_output: unsupported("The stop string as part of the answer is not supported", {
    values: [false],
  }),
  truncate_prompt_tokens: unsupported("Cutting prompts that are too long is not supported"),
  return_token_ids: unsupported("Token ids in answers are not supported", { values: [false] }),
  return_prompt_text: unsupported("The prompt's text in answers is not supported", { values: [false] }),
  return_tokens_as_token_ids: unsupported("Token ids in answers are not supported", { values: [false] }),
  n_probs: unsupported("n_probs is not supported (logprobs is)", { values: [0] }),
  post_sampling_probs: unsupported("Probabilities after sampling are not supported", { values: [false] }),
  n_indent: unsupported("Indented answers are not supported", { values: [0] }),
  t_max_predict_ms: unsupported("t_max_predict_ms is not supported (deadline_ms is)", { values: [0, -1] }),
  kv_transfer_params: unsupported("Moving KV caches between servers is not supported", { empty: true }),
  ec_transfer_params: unsupported("Moving caches between servers is not supported", { empty: true }),
  vllm_xargs: unsupported("Arguments for plug-ins are not supported", { empty: true }),
  mm_processor_kwargs: unsupported("Images, audio and videos are not supported", { empty: true }),
  media_io_kwargs: unsupported("Images, audio and videos are not supported", { empty: true }),
} as const satisfies Fields;

/** Only in chats. */
export const FOREIGN_CHAT_FIELDS = {
  ...unused(["parallel_tool_calls", "parse_tool_calls", "reasoning"]),
  tools: { type: "unsupported", what: TOOLS, empty: true },
  functions: { type: "unsupported", what: TOOLS, empty: true },
  tool_choice: { type: "unsupported", what: TOOLS, values: ["none", "auto"] },
  function_call: { type: "unsupported", what: TOOLS, values: ["none", "auto"] },
  modalities: {
    type: "list",
    min: 0,
    max: 8,
    of: unsupported("Another modality than text is not supported", { values: ["text"] }),
  },
  audio: unsupported("Audio is not supported"),
  web_search_options: unsupported("Web search is not supported"),
  documents: unsupported("Documents beside the messages are not supported", { empty: true }),
  chat_template: unsupported("A chat template of the request's own is not supported", { empty: true }),
  echo: unsupported("Echo in chats is not supported", { values: [false] }),
  add_special_tokens: unsupported("Another BOS before a chat template's text is not supported", {
    values: [false],
  }),
  include_reasoning: unsupported("Leaving out what the model thought is not supported", { values: [true] }),
  reasoning_format: unsupported("Thoughts apart from the answer are not supported", {
    values: ["none", "auto"],
  }),
  thinking_forced_open: unsupported("Thoughts apart from the answer are not supported", { values: [false] }),
} as const satisfies Fields;

/** Only in completions. */
export const FOREIGN_TEXT_FIELDS = {
  suffix: unsupported("Filling a gap before a suffix is not supported", { empty: true }),
  prompt_embeds: unsupported("Prompts as vectors are not supported", { empty: true }),
  add_special_tokens: unsupported("A prompt without BOS is not supported (a list of tokens is)", {
    values: [true],
  }),
} as const satisfies Fields;

/** In requests for embeddings. */
export const FOREIGN_EMBEDDING_FIELDS = {
  ...unused(["user", "request_id"]),
  truncate_prompt_tokens: FOREIGN_FIELDS.truncate_prompt_tokens,
  normalize: unsupported("Vectors of another length than 1 are not supported", { values: [true] }),
  embd_normalize: unsupported("Vectors of another length than 1 are not supported", { values: [2] }),
  add_special_tokens: FOREIGN_TEXT_FIELDS.add_special_tokens,
} as const satisfies Fields;
