/** Asks a running server. @module */

import { fetchReason, hopelessReason } from "../hub/fetch_reason.ts";
import { baseUrlOf, headersOf } from "../loadtest/target.ts";
import { type Arguments, UsageError } from "./command.ts";

const ASK_MS = 30_000;
const SHOWN_MAX = 500;

/** What is asked of a server. */
interface Question {
  /** Of a POST; none: a GET. */
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

/** The JSON that a server answers. Throws an Error that says what it said, or why it could not be asked. */
export async function askServer(args: Arguments, path: string, question: Question): Promise<unknown> {
  const text = await askServerText(args, path, question);
  const value = parsed(text);
  if (value !== undefined) return value;
  throw new Error(`the server answered ${path} with no JSON: ${text.slice(0, SHOWN_MAX)}`);
}

/** The text that a server answers. Throws as {@linkcode askServer}. */
export async function askServerText(
  args: Arguments,
  path: string,
  { body, signal }: Question,
): Promise<string> {
  let origin: string;
  try {
    origin = new URL(baseUrlOf(args.values.get("url")!)).origin;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const headers = headersOf({ apiKey: Deno.env.get("KUMI_API_KEY") || undefined });
  let text: string, response: Response;
  try {
    response = await fetch(origin + path, {
      headers: { ...headers, ...body === undefined ? {} : { "content-type": "application/json" } },
      ...body === undefined ? {} : { method: "POST", body: JSON.stringify(body) },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]),
    });
    text = await response.text();
  } catch (error) {
    signal.throwIfAborted();
    const reason = fetchReason(error);
    throw new Error(`${origin} cannot be reached: ${hopelessReason(reason) ?? reason}`);
  }
  if (response.ok) return text;
  const hint = response.status === 401 ? " (KUMI_API_KEY has the key)" : "";
  throw new Error(
    `${origin} answered ${response.status}: ${messageIn(parsed(text)) ?? text.slice(0, SHOWN_MAX)}${hint}`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The message of an error object, OpenAI's or Ollama's. */
function messageIn(value: unknown): string | undefined {
  const error = (value as { error?: unknown } | null | undefined)?.error;
  if (typeof error === "string") return error;
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === "string" ? message : undefined;
}
