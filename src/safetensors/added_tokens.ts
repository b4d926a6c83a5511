/** Tokens that a tokenizer.json adds to its vocabulary. @module */

import { JsonObject } from "./json_object.ts";

/** A token that was added to the vocabulary. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Text from users does not become it. */
  readonly special: boolean;
  /** White space before it, and behind it, is a part of it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

/** The list `added_tokens`. Throws CheckpointError. */
export function readAddedTokens(json: JsonObject): AddedToken[] {
  if (!json.has("added_tokens")) return [];
  return json.list("added_tokens").map((value, index) => {
    const token = new JsonObject(`tokenizer.json: added_tokens[${index}]`, value);
    if (token.boolean("single_word", false)) {
      throw token.unsupported("single_word", "a token that is found only between words");
    }
    return {
      id: token.count("id", { min: 0 }),
      content: token.string("content"),
      special: token.boolean("special", false),
      lstrip: token.boolean("lstrip", false),
      rstrip: token.boolean("rstrip", false),
    };
  });
}

/** What the post-processor puts before and behind a text. */
export interface Ends {
  readonly first?: AddedToken;
  readonly last?: AddedToken;
}

/** Reads the post-processor. Throws CheckpointError for one that puts several tokens before or behind a text. */
export function readEnds(processors: readonly JsonObject[], added: readonly AddedToken[]): Ends {
  const template = processors.find((step) => step.string("type") === "TemplateProcessing");
  if (template === undefined) return {};
  const names = template.list("single").map((value, i) => {
    const piece = new JsonObject(`tokenizer.json: post_processor: single[${i}]`, value);
    return piece.has("SpecialToken") ? piece.object("SpecialToken").string("id") : null;
  });
  const at = names.indexOf(null);
  if (names.length > 3 || at < 0 || at > 1 || names.length - at > 2) {
    throw template.unsupported("single", "several tokens before or behind a text");
  }
  const find = (name: string | null | undefined) => added.find(({ content }) => content === name);
  return { first: at === 1 ? find(names[0]) : undefined, last: find(names[at + 1]) };
}
