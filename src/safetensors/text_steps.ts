/** What a tokenizer.json does to a text before its model sees it: normalizers and pre-tokenizers of pieces. @module */

import { CheckpointError } from "./error.ts";
import { JsonObject } from "./json_object.ts";

const SPACE_MARK = "\u2581";

/** The steps of a sequence, or the one step. */
export function stepsOf(step: JsonObject | undefined, key: string): JsonObject[] {
  if (step === undefined) return [];
  if (step.string("type") !== "Sequence") return [step];
  return step.list(key).map((value, i) => new JsonObject(`tokenizer.json: ${key}[${i}]`, value));
}

/**
 * When a part of a text, what stands between special tokens, gets a space before it: `missing` where it begins with
 * none, `first` the same at the beginning of the whole text.
 */
export type SpacePrefix = "always" | "missing" | "first" | "never";

/** How pieces with ▁ for spaces come out of a text. */
export interface PieceSteps {
  readonly prefix: SpacePrefix;
  /** Spaces in a row are one, `inside` those at the end, too. */
  readonly joinsSpaces: "never" | "inside" | "always";
  /** Characters are composed (NFC). */
  readonly composes: boolean;
  /** A compiled table of replacements. */
  readonly charsmap?: Uint8Array;
  /** No piece reaches over a space. */
  readonly cutsAtSpaces: boolean;
}

/** Reads the steps. Throws CheckpointError for those that are not computed here. */
export function readPieceSteps(json: JsonObject): PieceSteps {
  const normal = readNormalizers(json.optionalObject("normalizer"));
  const words = stepsOf(json.optionalObject("pre_tokenizer"), "pretokenizers").filter((step) => {
    // Gemma's: there are no spaces left where it would cut.
    return !(normal.marksSpaces && isSplitAtSpaces(step));
  });
  const metaspace = words.find((step) => step.string("type") === "Metaspace");
  const other = words.find((step) => step !== metaspace);
  if (other !== undefined) throw other.unsupported("type", "another way to cut words");
  if (metaspace !== undefined && metaspace.string("replacement", SPACE_MARK) !== SPACE_MARK) {
    throw metaspace.unsupported("replacement", "another sign for spaces");
  }
  return {
    ...normal,
    prefix: normal.prefix ?? prefixOf(metaspace),
    cutsAtSpaces: metaspace?.boolean("split", true) ?? false,
  };
}

function prefixOf(metaspace: JsonObject | undefined): SpacePrefix {
  if (metaspace === undefined) return "never";
  const scheme = metaspace.string(
    "prepend_scheme",
    metaspace.boolean("add_prefix_space", true) ? "always" : "never",
  );
  if (scheme === "always") return "missing";
  if (scheme === "first" || scheme === "never") return scheme;
  throw metaspace.unsupported("prepend_scheme", "another place for the space before a text");
}

function readNormalizers(normalizer: JsonObject | undefined) {
  let prefix: SpacePrefix | undefined;
  let joinsSpaces = false;
  let stripsEnd = false;
  let composes = false;
  let marksSpaces = false;
  let charsmap: Uint8Array | undefined;
  for (const step of stepsOf(normalizer, "normalizers")) {
    const type = step.string("type");
    if (type === "Precompiled") charsmap = base64(step, "precompiled_charsmap");
    else if (type === "NFC") composes = true;
    else if (type === "Prepend" && step.value("prepend") === SPACE_MARK) prefix = "always";
    else if (type === "Replace" && isPattern(step, "Regex", " {2,}") && isSpace(step)) joinsSpaces = true;
    else if (type === "Replace" && isPattern(step, "String", " ") && step.value("content") === SPACE_MARK) {
      marksSpaces = true;
    } else if (type === "Strip") stripsEnd ||= step.boolean("strip_right", true);
    else throw step.unsupported("type", "text that is changed before");
  }
  const joins: PieceSteps["joinsSpaces"] = joinsSpaces ? stripsEnd ? "always" : "inside" : "never";
  return { prefix, joinsSpaces: joins, composes, marksSpaces, charsmap };
}

function isSpace(step: JsonObject): boolean {
  return step.value("content") === " " || step.value("content") === SPACE_MARK;
}

function isPattern(step: JsonObject, kind: "Regex" | "String", text: string): boolean {
  return step.optionalObject("pattern")?.value(kind) === text;
}

function isSplitAtSpaces(step: JsonObject): boolean {
  return step.string("type") === "Split" && isPattern(step, "String", " ");
}

function base64(step: JsonObject, key: string): Uint8Array {
  const text = step.string(key, "");
  try {
    return Uint8Array.fromBase64(text);
  } catch (cause) {
    throw new CheckpointError(
      `tokenizer.json: normalizer: ${key} must be bytes in base64, current value is ${
        JSON.stringify(text.slice(0, 40))
      }`,
      { cause },
    );
  }
}

/** Whether byte-level BPE composes characters (NFC) first. Throws CheckpointError for other changes of a text. */
export function composesBytes(json: JsonObject): boolean {
  const steps = stepsOf(json.optionalObject("normalizer"), "normalizers");
  const other = steps.find((step) => step.string("type") !== "NFC");
  if (other !== undefined) throw other.unsupported("type", "text that is changed before");
  return steps.length > 0;
}
