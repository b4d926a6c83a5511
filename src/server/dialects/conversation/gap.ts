/** A text with a gap in it, which a model is to fill. @module */

import { badField } from "../../api_error.ts";
import type { Asked } from "../dialect.ts";

/** What stands before the gap: a text or its tokens. */
type Before = { readonly text: string } | { readonly tokens: readonly number[] };

/** A prompt that asks for what stands between, and the tokens that end that. */
export interface GapPrompt {
  readonly tokens: number[];
  readonly stopTokens: readonly number[];
}

/** Throws an ApiError, 400, where the model does not know gaps. */
export async function gapPrompt(before: Before, suffix: string, { model }: Asked): Promise<GapPrompt> {
  const { gap } = model.info;
  if (gap === undefined) {
    throw badField(
      "suffix",
      'Filling a gap before a suffix is not supported by this model, which has no tokens for it (field "suffix")',
      "unsupported_value",
    );
  }
  const tokensOf = (text: string) => model.tokenize(text, { addSpecial: false });
  const [start, behind, prefix] = await Promise.all([
    model.tokenize("", { addSpecial: true }),
    tokensOf(suffix),
    "tokens" in before ? [...before.tokens] : tokensOf(before.text),
  ]);
  const tokens = [...start.slice(0, 1), gap.prefix, ...prefix, gap.suffix, ...behind, gap.middle];
  return { tokens, stopTokens: gap.ends };
}
