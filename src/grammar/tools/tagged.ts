/** Calls whose parameters are written one by one, each between tags: how a value is written, and the grammar of them. @module */

import { choice, type Expression, optional, type Rules, sequence, text } from "../expression.ts";
import { GrammarError } from "../error.ts";
import { anyText, marked, untilText } from "../free_text.ts";
import { schemaRules } from "../json_schema/compile.ts";

/** The signs around a parameter. */
export interface ParameterTags {
  /** Before its name, between name and value, and behind the value. */
  readonly before: string;
  readonly between: string;
  readonly after: string;
  /** Whether the value stands on lines of its own. */
  readonly ownLines?: boolean;
}

type Schema = Readonly<Record<string, unknown>>;

/** What says nothing about a value. */
const REMARKS = ["type", "title", "description", "default", "examples", "example", "deprecated", "$comment"];
/** What an object of parameters may say besides. */
const OBJECT_WORDS = [
  ...REMARKS,
  ...["properties", "required", "additionalProperties", "$schema", "$id", "$defs", "definitions", "strict"],
];

const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A schema, or what it refers to in the whole that it is a part of. */
function resolved(schema: unknown, root: Schema): unknown {
  for (let at = schema, depth = 0; depth < 32; depth++) {
    if (!isSchema(at) || typeof at.$ref !== "string" || !at.$ref.startsWith("#/")) return at;
    at = at.$ref.slice(2).split("/").reduce(
      (inner: unknown, name) =>
        isSchema(inner)
          ? inner[decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~")]
          : undefined,
      root,
    );
  }
  return undefined;
}

/** The object of a tool's parameters, each with how it is written. */
export interface Parameter {
  readonly name: string;
  readonly schema: unknown;
  readonly isRequired: boolean;
  /** "text": as it is. Words: one of these, as it is. "json": as JSON. */
  readonly written: "text" | "json" | readonly string[];
}

/** How a value of a schema is written: texts as they are where nothing bounds them. */
function writing(schema: unknown, root: Schema): Parameter["written"] {
  const at = resolved(schema, root);
  if (!isSchema(at)) return "json";
  const words = "const" in at ? [at.const] : at.enum;
  const isText = at.type === undefined || at.type === "string";
  if (Array.isArray(words)) {
    return isText && words.length > 0 && words.every((word) => typeof word === "string") ? words : "json";
  }
  return at.type === "string" && Object.keys(at).every((word) => REMARKS.includes(word)) ? "text" : "json";
}

/** Throws a GrammarError for a schema that says more than which parameters there are. */
export function parametersOf(parameters: unknown): readonly Parameter[] {
  if (parameters === undefined || parameters === null) return [];
  const outer = parameters as Schema;
  const root = resolved(outer, outer);
  if (!isSchema(root)) throw new GrammarError("must be a schema of an object");
  const strange = Object.keys(root).find((word) => !OBJECT_WORDS.includes(word));
  if (strange !== undefined || (root.type !== undefined && root.type !== "object")) {
    throw new GrammarError(
      `${JSON.stringify(strange ?? "type")} is not supported here: this model writes parameters one by one`,
    );
  }
  const properties = isSchema(root.properties) ? root.properties : {};
  const required = Array.isArray(root.required) ? root.required.map(String) : [];
  const names = [...new Set([...Object.keys(properties), ...required])];
  const { $defs, definitions } = outer;
  return names.map((name) => {
    const schema = Object.hasOwn(properties, name) ? properties[name] : true;
    const whole = isSchema(schema)
      ? {
        ...$defs === undefined ? {} : { $defs },
        ...definitions === undefined ? {} : { definitions },
        ...schema,
      }
      : schema;
    return { name, schema: whole, isRequired: required.includes(name), written: writing(schema, outer) };
  });
}

/** The parameters of a tool, in the order in which its schema has them. */
export function taggedArguments(
  rules: Rules,
  { before, between, after, ownLines }: ParameterTags,
  parameters: unknown,
  isControl: (text: string) => boolean,
): Expression {
  const fixed = (value: string) => marked(value, isControl);
  const line = ownLines ? optional(text("\n")) : sequence();
  const valueOf = ({ written, schema }: Parameter): Expression => {
    if (written === "text") return isControl(after) ? sequence(anyText(), fixed(after)) : untilText(after);
    const value = written === "json" ? rules.embed(schemaRules(schema)) : choice(...written.map(text));
    return sequence(value, line, fixed(after));
  };
  return sequence(
    ...parametersOf(parameters).map((parameter) => {
      const whole = sequence(
        fixed(before),
        text(parameter.name),
        fixed(between),
        line,
        valueOf(parameter),
        text("\n"),
      );
      return parameter.isRequired ? whole : optional(whole);
    }),
  );
}
