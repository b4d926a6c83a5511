/** POST /tokenize and /detokenize, GET /tokenizer_info. @module */

import { badField } from "../api_error.ts";
import { flag, object, text } from "../schema/fields.ts";
import { dialect } from "./dialect.ts";
import { ENGINE_ERRORS } from "./openai/answers.ts";
import { model, tokens } from "./openai/fields.ts";
import { TEXT_MAX } from "./openai/message_fields.ts";
import { checkTokens } from "./openai/plan.ts";
import { oneOf } from "./openai/sampling.ts";

export const TOKENIZE_BODY = object({}, {
  model,
  content: text(TEXT_MAX, { help: "The text." }),
  prompt: text(TEXT_MAX, { help: "The text, as vLLM's clients call it." }),
  add_special: flag("Begin as a prompt begins: with BOS where the model wants it.", true),
  add_special_tokens: flag("Another name of add_special."),
  parse_special: flag("Read control tokens in the text; default false, with `prompt` true, as vLLM does."),
});

export const DETOKENIZE_BODY = object({ tokens: tokens(0) }, {
  model,
  special: flag("Write control tokens, too.", false),
});

export const TOKENIZE = dialect({
  summary: "Token ids of a text",
  answer: "An object with tokens and their count",
  body: TOKENIZE_BODY,
  example: { content: "Hello" },
  errorStatuses: ENGINE_ERRORS,
  async reply(fields, asked) {
    const { content, prompt, add_special, add_special_tokens, parse_special } = fields;
    const given = oneOf({ content, prompt });
    if (given === undefined) throw badField("content", '"content" is missing', "missing_field");
    const ids = await asked.model.tokenize(given, {
      addSpecial: oneOf({ add_special, add_special_tokens }),
      parseSpecial: parse_special ?? prompt !== undefined,
    });
    return { tokens: ids, count: ids.length, max_model_len: asked.model.info.contextLength };
  },
});

export const DETOKENIZE = dialect({
  summary: "The text of tokens",
  answer: "An object with the text as content",
  body: DETOKENIZE_BODY,
  example: { tokens: [1, 2, 3] },
  errorStatuses: ENGINE_ERRORS,
  async reply({ tokens: ids, special }, { model }) {
    checkTokens("tokens", ids, model.info.vocab);
    const content = await model.detokenize(ids, { special });
    return { content, prompt: content };
  },
});

/** What vLLM's clients, lm-eval among them, want to know to count tokens here. */
export const TOKENIZER_INFO = dialect({
  summary: "Names of the tokens that begin and end a text, for clients that count tokens here",
  answer: "An object with bos_token and eos_token",
  errorStatuses: [503],
  reply(_, { model: { info } }) {
    return {
      tokenizer_class: "kumi",
      bos_token: info.bosToken ?? null,
      eos_token: info.eosToken ?? null,
      model_max_length: info.contextLength,
    };
  },
});
