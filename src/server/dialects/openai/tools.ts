/** Tools in OpenAI's requests and answers. @module */

import type { ToolDeclaration } from "../../../grammar/tools/prompt.ts";
import { badField } from "../../api_error.ts";
import { anything, choice, flag, list, object, tag, text, unused, word } from "../../schema/fields.ts";
import type { FieldsOf } from "../../schema/read.ts";
import type { ToolRequest } from "../conversation/tools.ts";

const TOOLS_MAX = 128;
const NAME_MAX = 64;
const DESCRIPTION_MAX = 1 << 16;

const FUNCTION = object({ name: text(NAME_MAX, { min: 1 }) }, {
  description: text(DESCRIPTION_MAX),
  parameters: anything({ help: "A JSON Schema of the arguments, which always fit it." }),
  strict: flag("Taken: arguments always fit."),
});

const TOOL = object(
  {
    type: tag(
      ["function"],
      { custom: "Tools that take a text are not supported by this server" },
      "Only functions are supported",
    ),
  },
  { function: FUNCTION },
  { others: unused(["cache_control", "strict"]) },
);

const NAMED = object({ name: text(NAME_MAX) }, {});

/** Fields of requests for chats. */
export const TOOL_FIELDS = {
  tools: list(TOOL, 0, TOOLS_MAX, { help: "Functions that the answer may call." }),
  tool_choice: choice('"none", "auto", "required" or a function', [
    word(["none", "auto", "required"]),
    object({ type: word(["function"]), function: NAMED }, {}),
  ], {
    help: "Whether the answer may call functions, must, or must call the one that is named. Default: auto.",
  }),
  parallel_tool_calls: flag("Whether the answer may call several functions.", true),
  functions: list(FUNCTION, 0, TOOLS_MAX, { help: "The older form of tools." }),
  function_call: choice('"none", "auto" or a function', [word(["none", "auto"]), NAMED], {
    help: "The older form of tool_choice.",
  }),
};

const TOOL_BODY = object({}, TOOL_FIELDS);
export type ToolFields = FieldsOf<typeof TOOL_BODY>;

/** The tools that an answer may call; undefined where there are none. Throws an ApiError, 400. */
export function toolsOf(fields: ToolFields): ToolRequest | undefined {
  const { tools, functions, tool_choice, function_call, parallel_tool_calls } = fields;
  if (tools?.length && functions?.length) {
    throw badField("functions", '"tools" and "functions" are two names of one thing: give one');
  }
  const given = tools?.length
    ? tools.map(declared)
    : functions?.map((one) => declared({ function: one })) ?? [];
  const chosen = tool_choice ??
    (typeof function_call === "object" && function_call !== null
      ? { function: function_call }
      : function_call) ??
    "auto";
  if (given.length === 0) {
    if (chosen === "none" || chosen === "auto") return undefined;
    throw badField("tool_choice", '"tool_choice" asks for a call, but there are no "tools"');
  }
  if (chosen === "none") return undefined;
  const choice = typeof chosen === "string" ? chosen : { name: chosen.function.name };
  return { tools: given, choice, parallel: parallel_tool_calls ?? true };
}

/** A function as requests declare it. */
export interface DeclaredFunction {
  readonly name: string;
  readonly description?: string | null;
  readonly parameters?: unknown;
}

function declared(
  { function: called }: { readonly function?: DeclaredFunction | null },
  i = 0,
): ToolDeclaration {
  if (called === undefined || called === null) {
    throw badField(`tools[${i}].function`, `"tools[${i}].function" is missing`, "missing_field");
  }
  return declaration(called);
}

/** A function as chat templates get it. */
export function declaration({ name, description, parameters }: DeclaredFunction): ToolDeclaration {
  return {
    type: "function",
    function: {
      name,
      ...typeof description === "string" ? { description } : {},
      parameters: parameters ?? { type: "object", properties: {} },
    },
  };
}
