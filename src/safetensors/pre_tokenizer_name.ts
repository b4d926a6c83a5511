/** Which of the known pre-tokenizers a tokenizer.json describes. @module */

import { JsonObject, show } from "./json_object.ts";

const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const SHORT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACE = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

function words(letters: string, digits: string, symbols = "[^\\s\\p{L}\\p{N}]+[\\r\\n]*"): string {
  return `${SHORT}|[^\\r\\n\\p{L}\\p{N}]?${letters}+|\\p{N}${digits}| ?${symbols}|${SPACE}`;
}

function cased(after: string, digits: string): string {
  const before = "[^\\r\\n\\p{L}\\p{N}]?";
  return `${before}${UPPER}*${LOWER}+${after}|${before}${UPPER}+${LOWER}*${after}|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACE}`;
}

const DEEPSEEK_V3 =
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|" +
  "\\s*[\r\n]+|\\s+(?!\\S)|\\s+";

const SEED = `${SHORT}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${SPACE}`;
/** Signs, as the step of this name finds them: Unicode's punctuation, and what ASCII has beside it. */
const PUNCTUATION = "[\\p{P}$+<=>^`|~]+";
const EASTERN = "[一-龥ࠀ-一가-퟿]+";
const BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+";

/** The published expressions, one after the other, and the names that GGUF files have for them. */
const NAMES: ReadonlyMap<string, string> = new Map([
  [[GPT2], "gpt-2"],
  [["\\p{N}", GPT2], "smollm"],
  [[PUNCTUATION, GPT2, "[0-9][0-9][0-9]"], "falcon"],
  // No token has digits behind a space: that they are cut from it first changes nothing.
  [[PUNCTUATION, GPT2, "\\p{N}+", "[0-9][0-9][0-9]"], "falcon"],
  [[SEED], "seed-coder"],
  [["[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", EASTERN, "\\p{N}"], "deepseek-coder"],
  [[BLOOM], "bloom"],
  [[BLOOM, "\\p{N}"], "viking"],
  [[words("\\p{L}", "{1,3}")], "smaug-bpe"],
  [[words("\\p{L}", "")], "qwen2"],
  [[words("[\\p{L}\\p{M}]", "", "[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*")], "qwen35"],
  [[cased("", "")], "tekken"],
  [[cased(`${SHORT}?`, "{1,3}")], "gpt-4o"],
  [["\\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DEEPSEEK_V3], "deepseek-v3"],
].map(([expressions, name]) => [keyOf(expressions as string[]), name as string]));

/**
 * Expressions as one text, alike where they differ only in notation: ends of lines by their escapes, `{1}`,
 * possessive repetition of what cannot match what follows, the letters behind an apostrophe as a set, and one end of a
 * line behind white space that takes all others.
 */
function keyOf(expressions: readonly string[]): string {
  const plain = (expression: string) =>
    expression
      .replaceAll("\r", "\\r")
      .replaceAll("\n", "\\n")
      .replaceAll("{1}", "")
      .replaceAll(/([?+])\+/g, "$1")
      .replaceAll("'(?i:[sdmt]|ll|ve|re)", SHORT)
      .replaceAll("|\\s*[\\r\\n]|", "|\\s*[\\r\\n]+|");
  return expressions.map(plain).join("\n");
}

/**
 * The name for `tokenizer.ggml.pre`. `ignoreMerges`: a word that is a token is taken whole. Throws
 * CheckpointError for a pre-tokenizer that is not known here: the ids would be others than the model was
 * trained on.
 */
export function preTokenizerName(step: JsonObject, ignoreMerges: boolean): string {
  const steps = step.string("type") === "Sequence"
    ? step.list("pretokenizers").map((value, i) =>
      new JsonObject(`tokenizer.json: pretokenizers[${i}]`, value)
    )
    : [step];
  const key = keyOf(steps.flatMap(expressionOf));
  const name = NAMES.get(key);
  if (name === undefined) throw step.unsupported("type", `words that are cut by ${show(key)}`);
  // The same words, with and without merging inside of a word that is a token.
  if (ignoreMerges && name === "smaug-bpe") return "llama-bpe";
  if (ignoreMerges !== (name === "tekken")) {
    throw step.unsupported("type", `ignore_merges ${ignoreMerges} with ${JSON.stringify(name)}`);
  }
  return name;
}

function expressionOf(step: JsonObject): string[] {
  const type = step.string("type");
  if (type === "ByteLevel") {
    if (step.boolean("add_prefix_space", false)) {
      throw step.unsupported("add_prefix_space", "a space before each text");
    }
    return step.boolean("use_regex", true) ? [GPT2] : [];
  }
  if (type === "Digits") return [step.boolean("individual_digits", false) ? "\\p{N}" : "\\p{N}+"];
  if (type === "Punctuation") {
    if (step.string("behavior", "Isolated") !== "Contiguous") {
      throw step.unsupported("behavior", "another way to cut words");
    }
    return [PUNCTUATION];
  }
  if (type !== "Split") throw step.unsupported("type", "another way to cut words");
  if (step.string("behavior") !== "Isolated" || step.boolean("invert", false)) {
    throw step.unsupported("behavior", "another way to cut words");
  }
  return [step.object("pattern").string("Regex")];
}
