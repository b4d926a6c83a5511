import type { GrammarSource } from "../mod.ts";

/** How a model marks what it thinks. */
export interface Thoughts {
  /** Name of the format. */
  readonly format: string;
  /** Which of the format's signs are control tokens. */
  readonly control: readonly string[];
}

/** What an answer in a conversation must be, of a model with these thoughts: they come first. */
export function withThoughts(source: GrammarSource, thoughts: Thoughts | undefined): GrammarSource {
  if (thoughts === undefined || source.kind === "thoughts") return source;
  return { kind: "thoughts", ...thoughts, then: source };
}
