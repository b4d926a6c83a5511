/** POST /v1/completions. @module */

import type { GenerationResult } from "../../client/generation.ts";
import type { PromptLogprob, TokenLogprob } from "../../protocol/answer.ts";
import { badField } from "../api_error.ts";
import { flag, object, text } from "../schema/fields.ts";
import type { FieldsOf } from "../schema/read.ts";
import { gapPrompt } from "./conversation/gap.ts";
import { type Asked, dialect, type Generating, type Plan } from "./dialect.ts";
import {
  answering,
  type Chunks,
  ending,
  ENGINE_ERRORS,
  headOf,
  promptField,
  usageOf,
} from "./openai/answers.ts";
import { CompletionLogprobs, joinLists } from "./openai/completion_logprobs.ts";
import { alternatives, GENERATION_FIELDS, prompts } from "./openai/fields.ts";
import { FOREIGN_FIELDS, FOREIGN_TEXT_FIELDS } from "./openai/foreign_fields.ts";
import { TEXT_MAX } from "./openai/message_fields.ts";
import { type GenerationPlan, planGeneration, toPrompts } from "./openai/plan.ts";
import { OWN_TEXT_FIELDS } from "./own.ts";
import { withExtraBody } from "./openai/unpack.ts";

const PROMPTS_MAX = 128;

export const COMPLETIONS_BODY = object({ prompt: prompts(PROMPTS_MAX) }, {
  ...GENERATION_FIELDS,
  ...OWN_TEXT_FIELDS,
  logprobs: alternatives("Give the log-probability of each token, and of so many likeliest alternatives."),
  suffix: text(TEXT_MAX, { help: "What stands behind the answer, for models that fill gaps." }),
  echo: flag("Begin the text, and with `logprobs` the lists of tokens, with the prompt.", false),
}, { others: { ...FOREIGN_FIELDS, ...FOREIGN_TEXT_FIELDS } });

type CompletionFields = FieldsOf<typeof COMPLETIONS_BODY>;

export const COMPLETIONS = dialect({
  summary: "Continue texts, or lists of tokens, without a chat template",
  answer: "A text_completion; with stream: true events of such objects and [DONE]",
  body: COMPLETIONS_BODY,
  example: { prompt: "Once upon a time", max_tokens: 64 },
  streams: true,
  errorStatuses: ENGINE_ERRORS,
  forwards: "/completions",
  unpack: withExtraBody,
  async plan(fields, asked): Promise<Plan> {
    const plan = await withSuffix(planCompletions(fields, asked), fields, asked);
    const answers = new TextAnswers(asked, plan, fields.echo ? await echoesOf(plan, asked) : undefined);
    return answering(plan, answers);
  },
});

/** Throws an ApiError, 400. */
export function planCompletions(fields: CompletionFields, asked: Asked): GenerationPlan {
  const given = toPrompts("prompt", fields.prompt, asked.model.info.vocab);
  return planGeneration(fields, given, { logprobs: fields.logprobs, echoes: fields.echo }, asked);
}

/** The same where what is asked for stands before a suffix. Throws an ApiError, 400. */
async function withSuffix(
  plan: GenerationPlan,
  { suffix = "", echo }: CompletionFields,
  asked: Asked,
): Promise<GenerationPlan> {
  if (suffix === "") return plan;
  if (echo) throw badField("echo", '"echo" and "suffix" cannot both be there: the prompt has a gap');
  const works = plan.works.map(async (work): Promise<Generating> => {
    const { prompt, options } = work;
    if ("messages" in prompt) throw new TypeError("A conversation has no gap");
    const { tokens, stopTokens } = await gapPrompt(prompt, suffix, asked);
    const stops = [...options.stopTokens ?? [], ...stopTokens];
    return { ...work, prompt: { tokens }, options: { ...options, stopTokens: stops } };
  });
  return { ...plan, works: await Promise.all(works) };
}

/** The texts of the prompts: what their tokens say, so that the offsets of tokens are right. */
async function echoesOf({ works, n }: GenerationPlan, { model }: Asked): Promise<string[]> {
  const texts = await Promise.all(
    works.filter((_, i) => i % n === 0).map(async ({ prompt, options }) => {
      if ("messages" in prompt) throw new TypeError("A conversation has no text to echo");
      const tokens = "tokens" in prompt ? prompt.tokens : await model.tokenize(prompt.text);
      return await model.detokenize(tokens, { special: options.specialTokens });
    }),
  );
  return works.map((_, i) => texts[Math.floor(i / n)]);
}

type Wanted = Pick<GenerationPlan, "n" | "echoTop" | "promptTop">;

/** Answers to one request. Remembers how far each has come. */
export class TextAnswers implements Chunks {
  readonly #head: ReturnType<typeof headOf>;
  readonly #plan: Wanted;
  /** The text of each answer's prompt, with which its own begins, where that is wanted. */
  readonly #echoed?: readonly string[];
  /** Parts say that the usage comes later. */
  readonly #null: { usage?: null };
  readonly #logprobs = new Map<number, CompletionLogprobs>();

  constructor(asked: Asked, plan: Wanted & Pick<GenerationPlan, "includeUsage">, echoed?: readonly string[]) {
    this.#head = headOf(asked, "cmpl", "text_completion");
    this.#plan = plan;
    this.#echoed = echoed;
    this.#null = plan.includeUsage ? { usage: null } : {};
  }

  whole(results: readonly GenerationResult[]): object {
    const { n, promptTop } = this.#plan;
    const choices = results.map((result, index) => ({
      index,
      text: (this.#echoed?.[index] ?? "") + result.text,
      logprobs: this.#logprobsOf(index, result.logprobs, result.promptLogprobs),
      ...promptField(results, index, n, promptTop),
      ...ending(result),
    }));
    return { ...this.#head, choices, usage: usageOf(results, n) };
  }

  /** The echoed prompt. */
  first(index: number): object | null {
    return this.#echoed === undefined ? null : this.#chunk(index, this.#echoed[index], null);
  }

  part(
    index: number,
    text: string,
    logprobs?: readonly TokenLogprob[],
    prompt?: readonly PromptLogprob[],
  ): object {
    return this.#chunk(index, text, this.#logprobsOf(index, logprobs, prompt));
  }

  last(index: number, result: GenerationResult): object {
    return this.#chunk(index, "", null, ending(result));
  }

  usage(results: readonly GenerationResult[]): object {
    return { ...this.#head, choices: [], usage: usageOf(results, this.#plan.n) };
  }

  #chunk(index: number, text: string, logprobs: unknown, end: object = { finish_reason: null }): object {
    return { ...this.#head, choices: [{ index, text, logprobs, ...end }], ...this.#null };
  }

  #logprobsOf(index: number, logprobs?: readonly TokenLogprob[], prompt?: readonly PromptLogprob[]) {
    const { echoTop } = this.#plan;
    const known = this.#logprobs.get(index) ?? new CompletionLogprobs();
    this.#logprobs.set(index, known);
    const echoed = echoTop === undefined || prompt === undefined ? null : known.takePrompt(prompt, echoTop);
    const own = logprobs === undefined ? null : known.take(logprobs);
    return echoed === null || own === null ? echoed ?? own : joinLists(echoed, own);
  }
}
