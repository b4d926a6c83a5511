/** An answer as somebody has it: its text, the server's JSON, or a stream that was saved. @module */

import { jsonObject } from "./verdict.ts";

/** What there is to compare with. */
export type Said =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "json"; readonly json: object }
  /** The text of each choice of a stream, by its index. */
  | { readonly kind: "stream"; readonly texts: ReadonlyMap<number, string> };

/** What a file that is an answer says. A stream of which the text cannot be put together is null. */
export function saidIn(text: string): Said | null {
  const json = jsonObject(text);
  if (json !== undefined) return { kind: "json", json };
  if (areLines(text)) return null;
  if (!isStream(text)) return { kind: "text", text };
  const texts = streamedTexts(text);
  return texts === null ? null : { kind: "stream", texts };
}

/** The same of a file in which a receipt was found: only what is a server's answer, and not the receipt alone. */
export function saidBeside(text: string): Said | null {
  const said = saidIn(text);
  if (said?.kind === "stream") return said;
  return said?.kind === "json" && isAnswer(said.json) ? said : null;
}

const CONTENTS = ["choices", "content", "output", "message", "response"];

/** Servers name their model beside what was answered, in all dialects. */
function isAnswer(json: object): boolean {
  return "model" in json && typeof json.model === "string" && CONTENTS.some((name) => name in json);
}

const isStream = (text: string) => /^(?:data|event|id|retry|): ?/m.test(text) && /^data: ?[{[]/m.test(text);

/** Ollama's streams are lines of JSON. */
function areLines(text: string): boolean {
  const lines = text.trim().split("\n");
  return lines.length > 1 && lines.every((line) => jsonObject(line) !== undefined);
}

interface Choice {
  readonly index?: number;
  readonly text?: unknown;
  readonly delta?: Record<string, unknown>;
}

/** Of Chat Completions and Completions; null for other dialects, and where there is more than plain text. */
function streamedTexts(stream: string): ReadonlyMap<number, string> | null {
  const texts = new Map<number, string>();
  for (const [, data] of stream.matchAll(/^data: ?(\{.*)$/gm)) {
    const event = jsonObject(data) as { choices?: Choice[] } | undefined;
    if (event === undefined || !Array.isArray(event.choices)) return null;
    for (const { index = 0, text, delta = {} } of event.choices) {
      const { role: _, content = "", ...more } = delta;
      const part = text ?? content ?? "";
      if (typeof part !== "string" || Object.values(more).some((value) => value !== null)) return null;
      texts.set(index, (texts.get(index) ?? "") + part);
    }
  }
  return texts;
}
