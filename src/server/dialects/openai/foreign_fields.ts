/**
 * What clients of OpenAI's, vLLM's and llama.cpp's servers send besides: fields that change nothing in an
 * answer, and fields that ask for what is not there.
 *
 * @module
 */

import { list, type Shape, unused } from "../../schema/fields.ts";
import { here } from "../refusals.ts";

const SAMPLER = (name: string) => `${name} is not supported`;
const THOUGHTS = here("A budget for thoughts in texts without a chat template is not supported", {
  values: [-1],
});

const TRUNCATION = here("Cutting prompts that are too long is not supported");
const NO_BOS = here("A prompt without BOS is not supported (a list of tokens is)", { values: [true] });

/** In requests for chats and for completions. */
export const FOREIGN_FIELDS: Shape = {
  ...unused([
    // OpenAI's.
    ...["user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"],
    ...["store", "service_tier", "metadata", "verbosity"],
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
    // llama.cpp's: where a prompt is kept, what is told beside the answer, and settings of samplers that are
    // off.
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
  mirostat: here(SAMPLER("Mirostat"), { values: [0] }),
  dynatemp_range: here(SAMPLER("Dynamic temperature"), { values: [0] }),
  dry_multiplier: here(SAMPLER("DRY sampling"), { values: [0] }),
  xtc_probability: here(SAMPLER("XTC sampling"), { values: [0] }),
  typical_p: here(SAMPLER("Typical sampling"), { values: [1] }),
  tfs_z: here(SAMPLER("Tail-free sampling"), { values: [1] }),
  top_a: here(SAMPLER("Top-a sampling"), { values: [0] }),
  top_n_sigma: here(SAMPLER("Top-nσ sampling"), { values: [-1, 0] }),
  smoothing_factor: here(SAMPLER("Smooth sampling"), { values: [0] }),
  adaptive_target: here(SAMPLER("Adaptive-p sampling"), { values: [-1] }),
  min_keep: here("A least number of candidates is not supported", { values: [0, 1] }),
  moderation: here("Moderation is not supported"),
  watermarking: here("Watermarks are not supported", { values: [false] }),
  repetition_detection: here("An end at repetitions is not supported"),
  logprob_token_ids: here("Log-probabilities of chosen tokens are not supported", { empty: true }),
  use_beam_search: here("Beam search is not supported", { values: [false] }),
  logits_processors: here("Logits processors are not supported", { empty: true }),
  allowed_token_ids: here("A list of allowed tokens is not supported"),
  bad_words: here("A list of bad words is not supported; logit_bias can forbid tokens", {
    empty: true,
  }),
  lora: here("LoRA adapters are not supported", { empty: true }),
  include_stop_str_in_output: here("The stop string as part of the answer is not supported", {
    values: [false],
  }),
  truncate_prompt_tokens: TRUNCATION,
  return_token_ids: here("Token ids in answers are not supported", { values: [false] }),
  return_prompt_text: here("The prompt's text in answers is not supported", { values: [false] }),
  return_tokens_as_token_ids: here("Token ids in answers are not supported", { values: [false] }),
  n_probs: here("n_probs is not supported (logprobs is)", { values: [0] }),
  post_sampling_probs: here("Probabilities after sampling are not supported", { values: [false] }),
  n_indent: here("Indented answers are not supported", { values: [0] }),
  t_max_predict_ms: here("t_max_predict_ms is not supported (deadline_ms is)", { values: [0, -1] }),
  kv_transfer_params: here("Moving KV caches between servers is not supported", { empty: true }),
  ec_transfer_params: here("Moving caches between servers is not supported", { empty: true }),
  vllm_xargs: here("Arguments for plug-ins are not supported", { empty: true }),
  mm_processor_kwargs: here("Images, audio and videos are not supported", { empty: true }),
  media_io_kwargs: here("Images, audio and videos are not supported", { empty: true }),
};

/** Only in chats. */
export const FOREIGN_CHAT_FIELDS: Shape = {
  ...unused(["parse_tool_calls"]),
  modalities: list(here("Another modality than text is not supported", { values: ["text"] }), 0, 8),
  audio: here("Audio is not supported"),
  web_search_options: here("Web search is not supported"),
  documents: here("Documents beside the messages are not supported", { empty: true }),
  chat_template: here("A chat template of the request's own is not supported", { empty: true }),
  echo: here("Echo in chats is not supported", { values: [false] }),
  add_special_tokens: here("Another BOS before a chat template's text is not supported", {
    values: [false],
  }),
  thinking_forced_open: here("Thoughts that the template does not begin are not supported", {
    values: [false],
  }),
};

/** Only in completions. */
export const FOREIGN_TEXT_FIELDS: Shape = {
  thinking_token_budget: THOUGHTS,
  reasoning_budget: THOUGHTS,
  reasoning_budget_tokens: THOUGHTS,
  thinking_budget_tokens: THOUGHTS,
  prompt_embeds: here("Prompts as vectors are not supported", { empty: true }),
  add_special_tokens: NO_BOS,
};

/** In requests for embeddings. */
export const FOREIGN_EMBEDDING_FIELDS: Shape = {
  ...unused(["user", "request_id"]),
  truncate_prompt_tokens: TRUNCATION,
  normalize: here("Vectors of another length than 1 are not supported", { values: [true] }),
  embd_normalize: here("Vectors of another length than 1 are not supported", { values: [2] }),
  add_special_tokens: NO_BOS,
};
