/** Tools and forms of answers in Anthropic's requests. @module */

import type { FieldsOf } from "../../schema/read.ts";
import type { ToolRequest } from "../conversation/tools.ts";
import { declaration } from "../openai/tools.ts";
import { badField } from "../../api_error.ts";
import type { Structure } from "../openai/structure.ts";
import { oneOf } from "../openai/sampling.ts";
import type { COUNT_BODY } from "./fields.ts";

/** The tools that an answer may call; undefined where there are none. Throws an ApiError, 400. */
export function toolsOf(
  { tools, tool_choice: chosen }: FieldsOf<typeof COUNT_BODY>,
): ToolRequest | undefined {
  if (tools === undefined || tools.length === 0) {
    if (chosen === undefined || chosen.type === "auto" || chosen.type === "none") return undefined;
    throw badField("tool_choice", '"tool_choice" asks for a call, but there are no "tools"');
  }
  if (chosen?.type === "none") return undefined;
  const given = tools.map(({ name, description, input_schema: parameters }) =>
    declaration({ name, description, parameters })
  );
  const parallel = chosen?.disable_parallel_tool_use !== true;
  if (chosen?.type !== "tool") {
    return { tools: given, choice: chosen?.type === "any" ? "required" : "auto", parallel };
  }
  if (typeof chosen.name !== "string") {
    throw badField("tool_choice.name", '"tool_choice.name" is missing', "missing_field");
  }
  return { tools: given, choice: { name: chosen.name }, parallel };
}

/** What the answer must be. Throws an ApiError, 400. */
export function structureOf(
  { output_config, output_format }: FieldsOf<typeof COUNT_BODY>,
): Structure | undefined {
  const given = oneOf({
    output_format: output_format ?? undefined,
    "output_config.format": output_config?.format ?? undefined,
  });
  if (given === undefined) return undefined;
  const field = output_format === given ? "output_format" : "output_config.format";
  if (given.schema === undefined || given.schema === null) {
    throw badField(field, `"${field}" of type json_schema needs a "schema"`);
  }
  return { field, grammar: { kind: "schema", schema: given.schema } };
}
