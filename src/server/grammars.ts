/** Compiles what answers must be before the engine is asked: apart, so that no other answer waits for it. @module */

import { CompilerBusyError, GrammarCompiler } from "../grammar/apart.ts";
import { GrammarError } from "../grammar/mod.ts";
import { ApiError, badField } from "./api_error.ts";
import type { Plan, Work } from "./dialects/dialect.ts";

const compiler = new GrammarCompiler();

/** The plan with its grammars compiled. Throws an ApiError, 400 for one that is wrong, 503 where too many wait. */
export async function withGrammars(plan: Plan): Promise<Plan> {
  if (!plan.works.some((work) => work.kind === "generating" && work.options.grammar !== undefined)) {
    return plan;
  }
  return { ...plan, works: await Promise.all(plan.works.map(compiled)) };
}

async function compiled(work: Work): Promise<Work> {
  if (work.kind !== "generating") return work;
  const { grammar } = work.options;
  if (grammar === undefined || grammar.kind === "compiled") return work;
  try {
    const words = await compiler.compile(grammar);
    return { ...work, options: { ...work.options, grammar: { kind: "compiled", words } } };
  } catch (error) {
    if (error instanceof GrammarError) {
      throw badField(work.grammarField ?? "grammar", error.message, "invalid_schema");
    }
    if (error instanceof CompilerBusyError) throw new ApiError(503, error.message, { code: "grammars_busy" });
    throw error;
  }
}
