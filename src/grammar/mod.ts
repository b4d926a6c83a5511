/**
 * Answers with a shape: schemas, patterns and grammars as the automaton that the kernels follow while they sample.
 *
 * ```ts
 * import { compileGrammar } from "./mod.ts";
 *
 * const words = compileGrammar({ kind: "schema", schema: { type: "object", properties: { name: { type: "string" } } } });
 * console.log(words.length > 0);
 * ```
 * @module
 */

import { toBytes, utf8 } from "./automata/bytes.ts";
import { ofSequences } from "./automata/dfa.ts";
import { matchDfa } from "./automata/regex.ts";
import { Budget, GrammarError } from "./error.ts";
import type { Expression } from "./expression.ts";
import { gbnfRules } from "./gbnf.ts";
import { schemaRules } from "./json_schema/compile.ts";
import { compileRules } from "./network.ts";
import { HARMONY_THOUGHTS, thoughtFormatNamed } from "./thoughts/format.ts";
import { harmonyRules, thoughtRules } from "./thoughts/grammar.ts";
import { TOOL_FORMATS } from "./tools/format.ts";
import { type ToolChoice, toolRules } from "./tools/grammar.ts";

export { GrammarError } from "./error.ts";

/** What an answer must be. */
export type GrammarSpec =
  /** A text of JSON that fits a schema. */
  | { readonly kind: "schema"; readonly schema: unknown }
  /** A text that a regular expression matches from beginning to end. */
  | { readonly kind: "regex"; readonly pattern: string }
  /** One of several texts. */
  | { readonly kind: "choice"; readonly texts: readonly string[] }
  /** Text, and calls of tools in the manner of a model. */
  | ({
    readonly kind: "tools";
    /** Name of the format. */
    readonly format: string;
    /** Which of the format's signs are control tokens of the vocabulary. */
    readonly control: readonly string[];
    /** What an answer without a call must be; undefined: any text. */
    readonly answer?: GrammarSource;
  } & ToolChoice)
  /** A text of a grammar in llama.cpp's notation. */
  | { readonly kind: "gbnf"; readonly grammar: string }
  /** What a model thinks, and then what the answer must be: for answers in a conversation. */
  | {
    readonly kind: "thoughts";
    /** Name of the format of thoughts. */
    readonly format: string;
    /** Which of its signs are control tokens of the vocabulary. */
    readonly control: readonly string[];
    readonly then: GrammarSource;
  }
  /** What `compileGrammar` has made of one of these; `thinks`: of one of kind "thoughts". */
  | { readonly kind: "compiled"; readonly words: Uint32Array<ArrayBuffer>; readonly thinks?: boolean };

/** One that is to be compiled. */
export type GrammarSource = Exclude<GrammarSpec, { readonly kind: "compiled" }>;

const WORK_MAX = 400_000;

/** The rules of what an answer must be, the first one of them where it begins. Throws a GrammarError. */
export function rulesOf(spec: GrammarSource): readonly Expression[] {
  switch (spec.kind) {
    case "schema":
      return schemaRules(spec.schema);
    case "gbnf":
      return gbnfRules(spec.grammar);
    case "tools": {
      const format = TOOL_FORMATS.find(({ name }) => name === spec.format);
      if (format === undefined) throw new GrammarError(`There is no format of calls named ${spec.format}`);
      const answer = spec.answer && rulesOf(spec.answer);
      return toolRules(format, { ...spec, answer }, (text) => spec.control.includes(text));
    }
    case "thoughts": {
      const format = thoughtFormatNamed(spec.format);
      if (format === undefined) throw new GrammarError(`There is no format of thoughts named ${spec.format}`);
      const isControl = (text: string) => spec.control.includes(text);
      if (format !== HARMONY_THOUGHTS) return thoughtRules(format, rulesOf(spec.then), isControl);
      const { then } = spec;
      if (then.kind !== "tools") return harmonyRules({ said: rulesOf(then) }, isControl);
      return harmonyRules({ calls: then, said: then.answer && rulesOf(then.answer) }, isControl);
    }
    case "regex": {
      const budget = new Budget(WORK_MAX, "The pattern");
      return [{ kind: "automaton", dfa: toBytes(matchDfa(spec.pattern, budget), utf8, budget) }];
    }
    case "choice": {
      const encoder = new TextEncoder();
      if (spec.texts.length === 0) throw new GrammarError("There is nothing to choose from");
      return [{ kind: "automaton", dfa: ofSequences(spec.texts.map((value) => [...encoder.encode(value)])) }];
    }
  }
}

/** Compiles what an answer must be to what `Kernels.createGrammar` takes. Throws a GrammarError that says what is wrong. */
export function compileGrammar(spec: GrammarSpec): Uint32Array<ArrayBuffer> {
  return spec.kind === "compiled" ? spec.words : compileRules(rulesOf(spec));
}
