/** POST /api/chat, /api/generate and /api/embed: Ollama's interface. @module */

import { embeddingOf } from "../../client/embedding.ts";
import type { GenerationResult } from "../../client/generation.ts";
import { badField } from "../api_error.ts";
import { gapPrompt } from "./conversation/gap.ts";
import { type AnswerManner, mannerOf } from "../../client/conversation/pieces.ts";
import { planChat } from "./conversation/request.ts";
import { type Asked, dialect, type Plan } from "./dialect.ts";
import { planEmbeddings } from "./embeddings.ts";
import {
  dismissed,
  LineEvents,
  LINES,
  loaded,
  OLLAMA_ERRORS,
  type Place,
  wholeAnswer,
  withoutTag,
} from "./ollama/answers.ts";
import { keepingMs, structureOf, thinkingFields, toMessages, toolsOf, toOptions } from "./ollama/asking.ts";
import { CHAT_BODY, EMBED_BODY, GENERATE_BODY } from "./ollama/fields.ts";
import { ENGINE_ERRORS } from "./openai/answers.ts";
import { type Own, ownOptions } from "./own.ts";
import type { Structure } from "./openai/structure.ts";
import { type Urgency, urgencyOf } from "./urgency.ts";
import type { ChatOptions } from "../../protocol/options/generation.ts";
import type { Prompt } from "../../protocol/request.ts";

/** What becomes of a request's work. */
function answering(
  work: Pick<Plan, "works" | "class" | "chat">,
  place: Place,
  isStream: boolean,
  asked: Asked,
  manner: AnswerManner = {},
): Plan {
  return {
    ...work,
    whole: ([result]) => wholeAnswer(asked, place, manner, result),
    events: isStream ? new LineEvents(asked, place, manner) : undefined,
  };
}

/** What a request says of how long the model stays. */
function keepingOf(keepAlive: string | number | undefined, only: boolean, place: Place) {
  const ms = keepingMs(keepAlive);
  return ms === undefined
    ? undefined
    : { ms, only, dismissed: (modelName: string) => dismissed(modelName, place) };
}

/** Nothing is asked but whether the model is there. */
function nothing(place: Place, asked: Asked): Plan {
  return { works: [], class: urgencyOf({}, asked).class, whole: () => loaded(asked, place) };
}

export const OLLAMA_CHAT = dialect({
  summary: "Answer a conversation, as Ollama's clients ask for it",
  answer: "A line of JSON for each part of the answer; with stream: false one object",
  body: CHAT_BODY,
  example: { messages: [{ role: "user", content: "What is a KV cache?" }], stream: false },
  streams: LINES,
  errorStatuses: ENGINE_ERRORS,
  isPortable: true,
  errors: OLLAMA_ERRORS,
  unpack: withoutTag,
  keeping: ({ keep_alive, messages = [] }) => keepingOf(keep_alive, messages.length === 0, "message"),
  plan(fields, asked): Plan {
    const { messages = [], options, think, format, stream = true } = fields;
    if (messages.length === 0) return nothing("message", asked);
    const tools = toolsOf(fields);
    const request = {
      messages: toMessages(messages),
      thinking: thinkingFields(think),
      tools,
      structure: structureOf(format),
      options: toOptions(options),
      own: fields.kumi,
      urgency: fields,
    };
    const manner = mannerOf(asked.model.info, tools?.tools);
    return answering(planChat(request, asked), "message", stream, asked, manner);
  },
});

export const OLLAMA_GENERATE = dialect({
  summary: "Answer or continue a text, as Ollama's clients ask for it",
  answer: "A line of JSON for each part of the answer; with stream: false one object",
  body: GENERATE_BODY,
  example: { prompt: "What is a KV cache?", stream: false },
  streams: LINES,
  errorStatuses: ENGINE_ERRORS,
  isPortable: true,
  errors: OLLAMA_ERRORS,
  unpack: withoutTag,
  keeping: ({ keep_alive, prompt = "", suffix = "" }) =>
    keepingOf(keep_alive, prompt === "" && suffix === "", "response"),
  async plan(fields, asked): Promise<Plan> {
    const { prompt = "", suffix = "", system = "", raw = false, think, stream = true } = fields;
    const options = toOptions(fields.options);
    const structure = structureOf(fields.format);
    if (suffix !== "") {
      const { tokens, stopTokens } = await gapPrompt({ text: prompt }, suffix, asked);
      const work = textWork({ tokens }, { ...options, stopTokens }, structure, fields, asked);
      return answering(work, "response", stream, asked);
    }
    if (prompt === "") return nothing("response", asked);
    const isChat = !raw && asked.model.info.hasChatTemplate;
    if (!isChat && system !== "") {
      throw badField("system", '"system" needs a chat template, and "raw" false', "unsupported_value");
    }
    if (!isChat) {
      return answering(
        textWork({ text: prompt }, options, structure, fields, asked),
        "response",
        stream,
        asked,
      );
    }
    const messages = [
      ...system === "" ? [] : [{ role: "system", content: system }],
      { role: "user", content: prompt },
    ];
    const request = {
      messages,
      thinking: thinkingFields(think),
      structure,
      options,
      own: fields.kumi,
      urgency: fields,
    };
    const manner = mannerOf(asked.model.info);
    return answering(planChat(request, asked), "response", stream, asked, manner);
  },
});

/** What continues a text without a template. */
function textWork(
  prompt: Prompt,
  options: ChatOptions,
  structure: Structure | undefined,
  fields: Urgency & { readonly kumi?: Own },
  asked: Asked,
): Pick<Plan, "works" | "class"> {
  const { class: name, ...rest } = urgencyOf(fields, asked);
  const grammar = structure === undefined ? {} : { grammar: structure.grammar };
  const all = { class: name, ...rest, ...options, ...ownOptions(fields.kumi), ...grammar };
  return { works: [{ kind: "generating", prompt, options: all, grammarField: "format" }], class: name };
}

export const OLLAMA_EMBED = dialect({
  summary: "Turn texts into vectors of length 1, as Ollama's clients ask for it",
  answer: "An object with embeddings, in the order of the texts",
  body: EMBED_BODY,
  example: { input: ["A first text", "A second one"] },
  errorStatuses: ENGINE_ERRORS,
  errors: OLLAMA_ERRORS,
  unpack: withoutTag,
  keeping: ({ keep_alive }) => keepingOf(keep_alive, false, "response"),
  plan(fields, asked): Plan {
    const { works, class: name } = planEmbeddings(fields, asked);
    return {
      works,
      class: name,
      whole: (results: readonly GenerationResult[]) => ({
        model: asked.modelName,
        embeddings: results.map((result) => [...embeddingOf(result, fields.dimensions)]),
        total_duration: Math.round(Math.max(...results.map(({ timings }) => timings.totalMs)) * 1e6),
        load_duration: 0,
        prompt_eval_count: results.reduce((sum, { usage }) => sum + usage.promptTokens, 0),
      }),
    };
  },
});
