/** What clients may ask for that other servers have no name for: the fields of `kumi`, in all dialects alike. @module */

import type { GenerationResult } from "../../client/generation.ts";
import { GENERATION } from "../../protocol/options/generation.ts";
import { docOf } from "../../protocol/options/option.ts";
import { DATA_LABELS } from "../../routing/data_label.ts";
import { flag, object, word } from "../schema/fields.ts";
import { fieldOf } from "../schema/of_option.ts";

const close_on_length = flag(
  "With a form of the answer: where the limit of tokens comes near, close what is open in the shortest way.",
  false,
);
const thinking_tokens = fieldOf(GENERATION.reasoningTokens, {
  help: docOf(GENERATION.reasoningTokens, "client"),
});
const speculation = fieldOf(GENERATION.speculation);
const receipt = flag(
  "Give a receipt with each answer, by which another machine can check it: `kumi verify`.",
  false,
);
const help = "What only this server knows.";

/** How far a request may travel. */
export const OWN_ROUTED_FIELD = word(DATA_LABELS, {
  help:
    "How far the request may travel where the server has upstreams: private never leaves; also as the header x-kumi-data.",
});
const data = OWN_ROUTED_FIELD;

/** Of conversations. */
export const OWN_CHAT_FIELDS = {
  kumi: object({}, { close_on_length, thinking_tokens, speculation, receipt, data }, { help }),
};
/** Of texts, in which no thoughts are known. */
export const OWN_TEXT_FIELDS = {
  kumi: object({}, { close_on_length, speculation, receipt, data }, { help }),
};
/** Of embeddings. */
export const OWN_EMBEDDING_FIELDS = { kumi: object({}, { data }, { help }) };

/** These, read. */
export interface Own {
  readonly close_on_length?: boolean | null;
  readonly thinking_tokens?: number | null;
  readonly speculation?: boolean | null;
  readonly receipt?: boolean | null;
}

/** What of it has the same meaning for all answers. */
export function ownOptions(
  own: Own | undefined,
): { readonly closeOnLength?: true; readonly speculation?: false; readonly receipt?: true } {
  return {
    ...own?.close_on_length === true ? { closeOnLength: true } : {},
    ...own?.speculation === false ? { speculation: false } : {},
    ...own?.receipt === true ? { receipt: true } : {},
  };
}

/** The field of an answer in dialects that have no other of their own for it: its receipt, where one was asked for. */
export function receiptField({ receipt }: Pick<GenerationResult, "receipt">): { readonly kumi?: object } {
  return receipt === undefined ? {} : { kumi: { receipt } };
}
