/** How a model learns which tools there are when its chat template knows none. @module */

/** A function that a model may call, as chat templates get it. */
export interface ToolDeclaration {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string;
    /** A JSON Schema of the arguments. */
    readonly parameters?: unknown;
  };
}

/** What stands in the system message: the tools, and how to call them. */
export function toolPrompt(tools: readonly ToolDeclaration[]): string {
  const signatures = tools.map((tool) => JSON.stringify(tool)).join("\n");
  return "You may call one or more functions to help the user. These are their signatures, one a line:\n" +
    `<tools>\n${signatures}\n</tools>\n\n` +
    "To call a function, write its name and arguments as JSON between these tags:\n" +
    '<tool_call>\n{"name": "NAME", "arguments": {"ARGUMENT": "VALUE"}}\n</tool_call>';
}

/** A conversation whose system message has the tools, too. */
export function withToolPrompt<M extends { readonly role: string; readonly content: string }>(
  messages: readonly M[],
  tools: readonly ToolDeclaration[],
): (M | { role: "system"; content: string })[] {
  return withSystemText(messages, toolPrompt(tools));
}

/** A conversation whose system message ends with a text; it gets one where it has none. */
export function withSystemText<M extends { readonly role: string; readonly content: string }>(
  messages: readonly M[],
  text: string,
): (M | { role: "system"; content: string })[] {
  const [first, ...rest] = messages;
  if (first?.role !== "system") return [{ role: "system", content: text }, ...messages];
  return [{ ...first, content: `${first.content}\n\n${text}` }, ...rest];
}
