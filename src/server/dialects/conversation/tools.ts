/** Tools of a request, whatever its dialect. @module */

import {
  type Calling,
  callingOf as calling,
  type ToolRequest,
  ToolRequestError,
} from "../../../client/conversation/calling.ts";
import type { GrammarSource } from "../../../grammar/mod.ts";
import type { ToolCalls } from "../../../protocol/model_info.ts";
import { badField } from "../../api_error.ts";

export type { ToolRequest };

/**
 * What tools make of the prompt and of the options of an answer; `answer`: what it must be where it calls none. Throws an ApiError, 400, for what
 * cannot be.
 */
export function callingOf(request: ToolRequest, calls: ToolCalls, answer?: GrammarSource): Calling {
  try {
    return calling(request, calls, answer);
  } catch (error) {
    if (!(error instanceof ToolRequestError)) throw error;
    if (error.about === "tools") throw badField("tools", error.message);
    throw badField("tool_choice", `"tool_choice" asks for what is not there: ${error.message}`);
  }
}

/** The id of a call, from that of its request. */
export function callId(requestId: string, answer: number, index: number): string {
  return `call_${requestId.replaceAll("-", "")}${answer}${index}`;
}

/** A call that is being told. */
export interface OpenCall {
  readonly index: number;
  readonly name: string;
  /** Its arguments so far, as JSON text. */
  readonly text: string;
}

/** The arguments of a call as a value. Those that were cut are no JSON, and none. */
export function inputOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
