/** From the AI SDK's prompts to conversations. @module */

import type {
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4ToolResultPart,
} from "@ai-sdk/provider";
import type { ChatMessage } from "../protocol/request.ts";
import { unsupported } from "./errors.ts";

type AssistantParts = Extract<LanguageModelV4Message, { role: "assistant" }>["content"];

/** The messages of a prompt. Throws an error that the SDK knows for what is no text. */
export function toMessages(prompt: readonly LanguageModelV4Message[]): ChatMessage[] {
  return prompt.flatMap((message): ChatMessage[] => {
    switch (message.role) {
      case "system":
        return [{ role: "system", content: message.content }];
      case "user": {
        const texts = message.content.map((part) => part.type === "text" ? part.text : textOf(part));
        return [{ role: "user", content: texts.join("\n") }];
      }
      case "assistant":
        return assistantMessages(message.content);
      case "tool":
        return message.content.flatMap((part) => part.type === "tool-result" ? [toolMessage(part)] : []);
    }
  });
}

/** Files that are texts are read. */
function textOf({ data, mediaType, filename }: LanguageModelV4FilePart): string {
  if (data.type === "text") return data.text;
  if (mediaType.startsWith("text") && data.type === "data") {
    const bytes = typeof data.data === "string"
      ? Uint8Array.from(atob(data.data), (c) => c.charCodeAt(0))
      : data.data;
    return new TextDecoder().decode(bytes);
  }
  throw unsupported(`Files of type ${mediaType}${filename === undefined ? "" : ` (${filename})`}`);
}

function assistantMessages(parts: AssistantParts): ChatMessage[] {
  const message: ChatMessage = { role: "assistant", content: "" };
  const results: ChatMessage[] = [];
  for (const part of parts) {
    switch (part.type) {
      case "text":
        message.content += part.text;
        break;
      case "reasoning":
        message.reasoning_content = (message.reasoning_content ?? "") + part.text;
        break;
      case "tool-call": {
        const call = { id: part.toolCallId, function: { name: part.toolName, arguments: part.input } };
        message.tool_calls = [...message.tool_calls ?? [], call];
        break;
      }
      case "tool-result":
        results.push(toolMessage(part));
        break;
      default:
        throw unsupported(`Parts of type ${part.type}`);
    }
  }
  return [message, ...results];
}

function toolMessage({ toolCallId, toolName, output }: LanguageModelV4ToolResultPart): ChatMessage {
  return { role: "tool", content: outputText(output), name: toolName, tool_call_id: toolCallId };
}

/** What the model is told of a result; errors as the library's own tools tell them. */
function outputText(output: LanguageModelV4ToolResultPart["output"]): string {
  switch (output.type) {
    case "text":
      return output.value;
    case "json":
      return JSON.stringify(output.value);
    case "error-text":
    case "error-json":
      return JSON.stringify({ error: output.value });
    case "execution-denied":
      return JSON.stringify({
        error: `The user has denied this call${output.reason ? `: ${output.reason}` : ""}`,
      });
    case "content":
      return output.value.map((part) => {
        if (part.type === "text") return part.text;
        throw unsupported(`Results of tools with parts of type ${part.type}`);
      }).join("\n");
  }
}
