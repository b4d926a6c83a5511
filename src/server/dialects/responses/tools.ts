/** Tools and forms of answers in requests of OpenAI's Responses. @module */

import { badField } from "../../api_error.ts";
import type { FieldsOf } from "../../schema/read.ts";
import type { ToolRequest } from "../conversation/tools.ts";
import type { Structure } from "../openai/structure.ts";
import { declaration } from "../openai/tools.ts";
import type { RESPONSES_BODY } from "./fields.ts";

type Fields = FieldsOf<typeof RESPONSES_BODY>;

/** The tools that an answer may call; undefined where there are none. Throws an ApiError, 400. */
export function toolsOf(
  { tools, tool_choice = "auto", parallel_tool_calls }: Fields,
): ToolRequest | undefined {
  if (tools === undefined || tools.length === 0) {
    if (tool_choice === "auto" || tool_choice === "none") return undefined;
    throw badField("tool_choice", '"tool_choice" asks for a call, but there are no "tools"');
  }
  if (tool_choice === "none") return undefined;
  const choice = typeof tool_choice === "string" ? tool_choice : { name: tool_choice.name };
  return { tools: tools.map(declaration), choice, parallel: parallel_tool_calls ?? true };
}

/** What the answer must be. Throws an ApiError, 400. */
export function structureOf({ text }: Fields): Structure | undefined {
  const format = text?.format;
  if (format === undefined || format === null || format.type === "text") return undefined;
  const field = "text.format";
  if (format.type === "json_object") {
    return { field, grammar: { kind: "schema", schema: { type: "object" } } };
  }
  if (format.schema === undefined) {
    throw badField(field, '"text.format" of type json_schema needs a "schema"');
  }
  return { field, grammar: { kind: "schema", schema: format.schema } };
}
