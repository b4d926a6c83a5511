/** A text with a gap in it, which a model is to fill. @module */

import type { GapTokens } from "../../../tokenizer/gap_tokens.ts";
import { badField } from "../../api_error.ts";
import type { Asked } from "../dialect.ts";

/** What stands before the gap: a text or its tokens. */
type Before = { readonly text: string } | { readonly tokens: readonly number[] };

/** A prompt that asks for what stands between, and the tokens that end that. */
export interface GapPrompt {
  readonly tokens: number[];
  readonly stopTokens: readonly number[];
}

/** A text beside the one with the gap, such as another file that is open. */
export interface Beside {
  readonly filename?: string | null;
  readonly text: string;
}

/** What stands around the gap, beside what is before and behind it. */
export interface Around {
  /** In their order, the nearest last. */
  readonly beside?: readonly Beside[];
  /** How the answer begins. */
  readonly begun?: string;
  /** The field that asks for a gap to be filled, for the message that the model cannot. */
  readonly field?: string;
}

const REPOSITORY = "repository";

/** Throws an ApiError, 400, where the model does not know gaps. */
export async function gapPrompt(
  before: Before,
  suffix: string,
  { model }: Asked,
  { beside = [], begun = "", field = "suffix" }: Around = {},
): Promise<GapPrompt> {
  const { gap } = model.info;
  if (gap === undefined) {
    throw badField(
      field,
      `Filling a gap before a suffix is not supported by this model, which has no tokens for it (field "${field}")`,
      "unsupported_value",
    );
  }
  const tokensOf = (text: string) => model.tokenize(text, { addSpecial: false });
  const [start, behind, prefix, first, ...others] = await Promise.all([
    model.tokenize("", { addSpecial: true }),
    tokensOf(suffix),
    "tokens" in before ? [...before.tokens] : tokensOf(before.text),
    begun === "" ? [] : tokensOf(begun),
    ...besideTexts(beside, gap.file !== undefined).map(tokensOf),
  ]);
  const tokens = [
    ...start.slice(0, 1),
    ...besideTokens(others, gap),
    ...[gap.prefix, ...prefix, gap.suffix, ...behind, gap.middle, ...first],
  ];
  return { tokens, stopTokens: gap.ends };
}

/** The texts of other files, and what comes before the one with the gap; plain texts for models that know no files. */
function besideTexts(beside: readonly Beside[], knowsFiles: boolean): string[] {
  if (beside.length === 0) return [];
  if (!knowsFiles) {
    return beside.map(({ filename, text }) => `${filename ? `${filename}\n` : ""}${text}\n`);
  }
  return [
    `${REPOSITORY}\n`,
    ...beside.map(({ filename, text }) => `${filename || "file"}\n${text}\n`),
    "current\n",
  ];
}

function besideTokens(texts: readonly number[][], { repository, file }: GapTokens): number[] {
  if (texts.length === 0) return [];
  if (file === undefined) return texts.flat();
  const [name, ...files] = texts;
  return [
    ...repository === undefined ? [] : [repository, ...name],
    ...files.flatMap((text) => [file, ...text]),
  ];
}
