/** The fields of Ollama's requests. @module */

import { EMBEDDING, GENERATION } from "../../../protocol/options/generation.ts";
import { CHAT_LIMITS, CHAT_ROLES } from "../../../tokenizer/conversation.ts";
import {
  anything,
  choice,
  flag,
  integer,
  list,
  number,
  object,
  type Shape,
  text,
  UNUSED,
  unused,
  word,
} from "../../schema/fields.ts";
import { fieldOf } from "../../schema/of_option.ts";
import { model, PENALTY_TOKENS_MAX } from "../openai/fields.ts";
import { TEXT_MAX } from "../openai/message_fields.ts";
import { OWN_CHAT_FIELDS } from "../own.ts";
import { URGENCY_FIELDS } from "../urgency.ts";
import { here } from "../refusals.ts";

const NAME_MAX = 256;
const CALLS_MAX = 128;
const TOOLS_MAX = 128;
const content = text(TEXT_MAX);
const name = text(NAME_MAX);
const stopText = text(256);

const IMAGES = here("Images are not supported", { empty: true });
const SAMPLER = (name: string, off: number) => here(`${name} is not supported`, { values: [off] });

/** How the answer is made. */
export const OPTIONS = object({}, {
  num_predict: integer(-2, GENERATION.maxTokens.kind.max, {
    help: "Most tokens of the answer; below 0: no limit.",
  }),
  temperature: fieldOf(GENERATION.temperature),
  top_k: fieldOf(GENERATION.topK),
  top_p: fieldOf(GENERATION.topP),
  min_p: fieldOf(GENERATION.minP),
  seed: integer(-1, Number.MAX_SAFE_INTEGER, { help: "The same answer for the same seed; -1: any." }),
  stop: choice("a string or a list of strings", [stopText, list(stopText, 0, 16)], {
    help: "The answer ends before the first of these texts.",
  }),
  repeat_penalty: fieldOf(GENERATION.repeatPenalty),
  repeat_last_n: integer(-1, PENALTY_TOKENS_MAX, {
    help: `Tokens that penalties look at; -1: ${PENALTY_TOKENS_MAX}.`,
  }),
  presence_penalty: fieldOf(GENERATION.presencePenalty),
  frequency_penalty: fieldOf(GENERATION.frequencyPenalty),
}, {
  others: {
    ...unused(["num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "num_keep", "numa", "low_vram"]),
    ...unused([
      "use_mmap",
      "use_mlock",
      "vocab_only",
      "f16_kv",
      "logits_all",
      "embedding_only",
      "penalize_newline",
    ]),
    ...unused(["mirostat_tau", "mirostat_eta", "draft_num_predict"]),
    mirostat: SAMPLER("Mirostat", 0),
    typical_p: SAMPLER("Typical sampling", 1),
    tfs_z: SAMPLER("Tail-free sampling", 1),
  },
  help: "How the answer is made, and settings of Ollama's that change nothing here, such as num_ctx.",
});

/** How long the model stays. */
const KEEP_ALIVE = choice('a duration such as "5m", or a number of seconds', [
  number(-1e12, 1e12),
  text(64, { min: 1 }),
], {
  help:
    "How long the model stays in memory after the request, where it shares that with others; 0: it leaves at once, below 0: it stays.",
});

/** What both kinds of answers have. */
const ANSWERING = {
  model,
  options: OPTIONS,
  think: choice("true or false or a word", [flag(), word(["low", "medium", "high", "max"])], {
    help: "Whether the model thinks first, where its template knows that.",
  }),
  format: anything({ help: '"json" for any object of JSON, or a JSON Schema that the answer fits.' }),
  stream: flag("false: one object in place of a line for each part.", true),
  keep_alive: KEEP_ALIVE,
  ...OWN_CHAT_FIELDS,
  ...URGENCY_FIELDS,
};

const FOREIGN: Shape = {
  truncate: UNUSED,
  shift: UNUSED,
  logprobs: here("Log-probabilities are not supported", { values: [false] }),
  top_logprobs: here("Log-probabilities are not supported", { values: [0] }),
};

const CALL = object(
  {
    function: object({ name }, { arguments: anything() }, { others: unused(["index", "description"]) }),
  },
  { id: name },
  { others: unused(["type"]) },
);

const MESSAGE = object({ role: word(CHAT_ROLES) }, {
  content,
  thinking: content,
  tool_calls: list(CALL, 0, CALLS_MAX),
  tool_name: name,
  name,
  tool_call_id: name,
}, { others: { images: IMAGES } });

const TOOL = object(
  {
    type: word(["function"]),
    function: object({ name: text(64, { min: 1 }) }, {
      description: text(1 << 16),
      parameters: anything({ help: "A JSON Schema of the arguments." }),
    }, { others: unused(["strict", "returns"]) }),
  },
  {},
  { others: unused(["items"]) },
);

export const CHAT_BODY = object({}, {
  ...ANSWERING,
  messages: list(MESSAGE, 0, CHAT_LIMITS.messages, {
    help: "The conversation; none: only whether the model is there.",
  }),
  tools: list(TOOL, 0, TOOLS_MAX, {
    help: "Functions that the answer may call; their arguments always fit their schemas.",
  }),
}, {
  others: FOREIGN,
});

export const GENERATE_BODY = object({}, {
  ...ANSWERING,
  prompt: text(TEXT_MAX, { help: "What a user says; none: only whether the model is there." }),
  system: text(TEXT_MAX, { help: "What the model is told before." }),
  suffix: text(TEXT_MAX, { help: "What stands behind the answer, for models that fill gaps." }),
  raw: flag("Continue the prompt as it is, without the model's template.", false),
}, {
  others: {
    ...FOREIGN,
    images: IMAGES,
    template: here("A template of the request's own is not supported", { empty: true }),
    context: here("A conversation as tokens is not supported (/api/chat takes messages)", { empty: true }),
  },
});

const TEXTS_MAX = 2048;

export const EMBED_BODY = object({
  input: choice("a string or a list of strings", [content, list(content, 1, TEXTS_MAX)], {
    help: "The texts.",
  }),
}, {
  model,
  dimensions: fieldOf(EMBEDDING.dimensions, {
    help: "Only so many elements from the beginning, of length 1 again.",
  }),
  keep_alive: KEEP_ALIVE,
  ...URGENCY_FIELDS,
}, { others: { truncate: UNUSED, options: UNUSED } });

export const SHOW_BODY = object({}, { model, name: text(NAME_MAX, { help: "Another name of model." }) }, {
  others: unused(["verbose", "system", "template", "options"]),
});
