/** POST /infill, as llama.cpp's clients ask for what stands between two texts. @module */

import type { GenerationResult } from "../../client/generation.ts";
import { type ApiError, badField, OPENAI_ERRORS } from "../api_error.ts";
import { list, object, text } from "../schema/fields.ts";
import { eventText } from "../sse.ts";
import { gapPrompt } from "./conversation/gap.ts";
import { type Asked, dialect, type EventWriter, type Plan } from "./dialect.ts";
import { ENGINE_ERRORS } from "./openai/answers.ts";
import { GENERATION_FIELDS } from "./openai/fields.ts";
import { FOREIGN_FIELDS } from "./openai/foreign_fields.ts";
import { TEXT_MAX } from "./openai/message_fields.ts";
import { planGeneration } from "./openai/plan.ts";
import { withExtraBody } from "./openai/unpack.ts";

const FILES_MAX = 256;
const NAME_MAX = 4096;

const extra = object({ text: text(TEXT_MAX) }, { filename: text(NAME_MAX) });

export const INFILL_BODY = object({}, {
  ...GENERATION_FIELDS,
  input_prefix: text(TEXT_MAX, { help: "What stands before the gap." }),
  input_suffix: text(TEXT_MAX, { help: "What stands behind it." }),
  input_extra: list(extra, 0, FILES_MAX, { help: "Other files, the nearest last." }),
  prompt: text(TEXT_MAX, { help: "How the answer begins." }),
}, { others: FOREIGN_FIELDS });

export const INFILL = dialect({
  summary: "Fill the gap between two texts, for models that know gaps",
  answer: "An object with content, as llama.cpp's server gives it; with stream: true events of such objects",
  body: INFILL_BODY,
  example: { input_prefix: "def sum(a, b):\n    return ", input_suffix: "\n", n_predict: 16 },
  streams: true,
  errorStatuses: ENGINE_ERRORS,
  unpack: withExtraBody,
  async plan(fields, asked): Promise<Plan> {
    const { input_prefix = "", input_suffix = "", input_extra: beside, prompt: begun } = fields;
    if (fields.n !== undefined && fields.n !== 1) {
      throw badField("n", `"n" must be 1, current value is ${fields.n}`);
    }
    const around = { beside, begun, field: "input_suffix" };
    const { tokens, stopTokens } = await gapPrompt({ text: input_prefix }, input_suffix, asked, around);
    const planned = planGeneration(fields, [{ tokens }], {}, asked);
    const works = planned.works.map((work) => ({
      ...work,
      options: { ...work.options, stopTokens: [...work.options.stopTokens ?? [], ...stopTokens] },
    }));
    const answers = new InfillAnswers(asked);
    return {
      works,
      class: planned.class,
      whole: ([result]) => answers.last(result, result.text),
      events: planned.stream ? new InfillEvents(answers) : undefined,
    };
  },
});

/** Objects in llama.cpp's words. */
class InfillAnswers {
  readonly #asked: Asked;

  constructor(asked: Asked) {
    this.#asked = asked;
  }

  part(content: string) {
    return { index: 0, content, stop: false };
  }

  last({ finishReason, stop, usage, timings, seed }: GenerationResult, content: string) {
    const { promptTokens, cachedTokens, completionTokens } = usage;
    const stopType = finishReason !== "stop" ? "limit" : typeof stop === "string" ? "word" : "eos";
    return {
      index: 0,
      content,
      stop: true,
      id: this.#asked.id,
      model: this.#asked.modelName,
      tokens_predicted: completionTokens,
      tokens_evaluated: promptTokens,
      tokens_cached: cachedTokens,
      truncated: false,
      stop_type: stopType,
      stopping_word: typeof stop === "string" ? stop : "",
      timings: {
        prompt_n: promptTokens - cachedTokens,
        prompt_per_second: timings.prefillTokensPerSecond ?? null,
        predicted_n: completionTokens,
        predicted_per_second: timings.decodeTokensPerSecond ?? null,
      },
      kumi: { finish_reason: finishReason, seed },
    };
  }
}

/** Without names, and without [DONE]. */
class InfillEvents implements EventWriter {
  readonly #answers: InfillAnswers;

  constructor(answers: InfillAnswers) {
    this.#answers = answers;
  }

  first(): string {
    return "";
  }

  part(_index: number, { text }: { text: string }): string {
    return eventText(this.#answers.part(text));
  }

  last(_index: number, result: GenerationResult): string {
    return eventText(this.#answers.last(result, ""));
  }

  end(): string {
    return "";
  }

  error(error: ApiError): string {
    return eventText(OPENAI_ERRORS.body(error));
  }
}
