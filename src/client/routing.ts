import type { RoutedRequest } from "../../scheduler/mod.ts";
import type { Prompt } from "../protocol/request.ts";

/** UTF-16 units of a text per token, about: enough to weigh prompts against each other. */
const UNITS_PER_TOKEN = 4;

/**
 * A prompt as the router compares and weighs it. The caller's thread has no tokenizer: texts and conversations count by
 * their UTF-16 units. What two prompts have in common at the beginning is at the same place in their units.
 */
export function promptUnits(prompt: Prompt): Pick<RoutedRequest, "tokens" | "unitsPerToken"> {
  if ("tokens" in prompt) return { tokens: prompt.tokens };
  return { tokens: units(textOf(prompt)), unitsPerToken: UNITS_PER_TOKEN };
}

/** Roles and contents, kept apart by characters that texts do not have. */
function textOf(prompt: Exclude<Prompt, { tokens: number[] }>): string {
  if ("text" in prompt) return prompt.text;
  return prompt.messages.map(({ role, content, tool_calls }) => {
    const calls = tool_calls === undefined ? "" : JSON.stringify(tool_calls);
    return `${role}\u0001${content}${calls}\u0002`;
  }).join("");
}

function units(text: string): Uint16Array {
  const all = new Uint16Array(text.length);
  for (let i = 0; i < text.length; i++) all[i] = text.charCodeAt(i);
  return all;
}
