/** The arguments of a call as they come, as JSON text. @module */

import { overlap } from "../overlap.ts";
import { type Parameter, parametersOf, type ParameterTags } from "./tagged.ts";
import type { Tool } from "./grammar.ts";

/** Reads one call's arguments. */
export interface ArgumentReader {
  /** What more of the text says, and the rest that is not decided or does not belong to it. */
  read(text: string): { readonly json: string; readonly rest: string; readonly isDone: boolean };
}

/** Arguments that are JSON: they end with their last bracket. */
export class JsonArguments implements ArgumentReader {
  /** Brackets that are open, and whether it is inside a string, behind a backslash. */
  #depth = 0;
  #inString = false;
  #escaped = false;

  read(text: string) {
    for (let end = 0; end < text.length; end++) {
      const c = text[end];
      if (this.#escaped) this.#escaped = false;
      else if (this.#inString) {
        if (c === "\\") this.#escaped = true;
        else if (c === '"') this.#inString = false;
      } else if (c === '"') this.#inString = true;
      else if (c === "{" || c === "[") this.#depth++;
      else if ((c === "}" || c === "]") && --this.#depth <= 0) {
        return { json: text.slice(0, end + 1), rest: text.slice(end + 1), isDone: true };
      }
    }
    return { json: text, rest: "", isDone: false };
  }
}

/** Parameters between tags. */
export class TaggedArguments implements ArgumentReader {
  readonly #tags: ParameterTags;
  readonly #end: string;
  readonly #parameters: readonly Parameter[];
  #place: "begin" | "between" | "name" | "value" = "begin";
  #count = 0;
  /** Of the value under way. */
  #isText = false;
  #hasBegun = false;
  #inString = false;

  /** `end`: what stands behind the last parameter. */
  constructor(tags: ParameterTags, end: string, tool: Tool | undefined) {
    this.#tags = tags;
    this.#end = end;
    this.#parameters = knownParameters(tool);
  }

  read(text: string) {
    let json = "", rest = text;
    for (;;) {
      const step = this.#step(rest);
      if (step === undefined) return { json, rest, isDone: false };
      json += step.json;
      rest = step.rest;
      if (step.waits) return { json, rest, isDone: step.isDone ?? false };
    }
  }

  #step(text: string): { json: string; rest: string; waits?: boolean; isDone?: boolean } | undefined {
    const { before, between } = this.#tags;
    switch (this.#place) {
      case "begin":
        this.#place = "between";
        return { json: "{", rest: text };
      case "between": {
        const rest = text.trimStart();
        if (rest.startsWith(before)) {
          this.#place = "name";
          return { json: "", rest: rest.slice(before.length) };
        }
        if (before.startsWith(rest) || this.#end.startsWith(rest) && rest !== this.#end) return undefined;
        return { json: "}", rest, waits: true, isDone: true };
      }
      case "name": {
        const at = text.indexOf(between);
        if (at < 0) return undefined;
        this.#begin(text.slice(0, at).trim());
        const name = JSON.stringify(text.slice(0, at).trim());
        return { json: `${this.#count++ === 0 ? "" : ", "}${name}: `, rest: text.slice(at + between.length) };
      }
      case "value":
        return this.#isText ? this.#text(text) : this.#json(text);
    }
  }

  #begin(name: string): void {
    this.#place = "value";
    const known = this.#parameters.find((parameter) => parameter.name === name);
    this.#isText = known?.written !== "json";
    this.#hasBegun = this.#inString = false;
  }

  #text(given: string) {
    let text = given, json = "";
    if (!this.#hasBegun) {
      if (text === "") return undefined;
      // The line end before the text is a part of the tag.
      if (this.#tags.ownLines && text.startsWith("\n")) text = text.slice(1);
      this.#hasBegun = true;
      json = '"';
    }
    const { after, ownLines } = this.#tags;
    const at = text.indexOf(after);
    if (at >= 0) {
      this.#place = "between";
      const value = ownLines ? text.slice(0, at).replace(/\n$/, "") : text.slice(0, at);
      return { json: `${json}${escaped(value)}"`, rest: text.slice(at + after.length) };
    }
    const keep = ownLines
      ? Math.max(overlap(text, `\n${after}`), overlap(text, after))
      : overlap(text, after);
    const sure = text.slice(0, text.length - keep);
    return { json: json + escaped(sure), rest: text.slice(text.length - keep), waits: true };
  }

  #json(text: string) {
    const { after } = this.#tags;
    // Blanks around a value are none of it; those within are, so what may be either waits.
    const told = (end: number, rest: string) => {
      const given = this.#hasBegun ? text.slice(0, end) : text.slice(0, end).trimStart();
      if (given !== "") this.#hasBegun = true;
      const json = this.#inString ? given : given.trimEnd();
      return { json, rest: given.slice(json.length) + rest, waits: true };
    };
    // A string in it may have the tag.
    for (let at = 0; at < text.length; at++) {
      if (this.#inString) {
        if (text[at] === "\\") {
          if (at + 1 === text.length) return told(at, "\\");
          at++;
        } else if (text[at] === '"') this.#inString = false;
      } else if (text[at] === '"') this.#inString = true;
      else if (after[0] === text[at]) {
        const rest = text.slice(at);
        if (rest.startsWith(after)) {
          this.#place = "between";
          return { json: told(at, "").json, rest: rest.slice(after.length) };
        }
        if (after.startsWith(rest)) return told(at, rest);
      }
    }
    return told(text.length, "");
  }
}

/** Those of a tool; none where it is unknown. */
function knownParameters(tool: Tool | undefined): readonly Parameter[] {
  try {
    return parametersOf(tool?.parameters);
  } catch {
    return [];
  }
}

/** What a text is within a string of JSON. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
