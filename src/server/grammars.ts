/** Compiles what answers must be before the engine is asked: apart, so that no other answer waits for it. @module */

import { CompilerBusyError, GrammarCompiler } from "../grammar/apart.ts";
import { GrammarError } from "../grammar/mod.ts";
import { type Thoughts, withThoughts } from "../grammar/thoughts/with_thoughts.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import { ApiError, badField } from "./api_error.ts";
import type { Plan, Work } from "./dialects/dialect.ts";

const compiler = new GrammarCompiler();

/** The plan with its grammars compiled, behind the model's thoughts in conversations. Throws an ApiError, 400 for one that is wrong, 503 where too many wait. */
export async function withGrammars(plan: Plan, { thoughts }: Pick<ModelInfo, "thoughts">): Promise<Plan> {
  if (!plan.works.some((work) => work.kind === "generating" && work.options.grammar !== undefined)) {
    return plan;
  }
  return { ...plan, works: await Promise.all(plan.works.map((work) => compiled(work, thoughts))) };
}

async function compiled(work: Work, thoughts?: Thoughts): Promise<Work> {
  if (work.kind !== "generating") return work;
  const { grammar } = work.options;
  if (grammar === undefined || grammar.kind === "compiled") return work;
  try {
    const source = "messages" in work.prompt ? withThoughts(grammar, thoughts) : grammar;
    const words = await compiler.compile(source);
    const thinks = source.kind === "thoughts";
    return { ...work, options: { ...work.options, grammar: { kind: "compiled", words, thinks } } };
  } catch (error) {
    if (error instanceof GrammarError) {
      throw badField(work.grammarField ?? "grammar", error.message, "invalid_schema");
    }
    if (error instanceof CompilerBusyError) throw new ApiError(503, error.message, { code: "grammars_busy" });
    throw error;
  }
}
