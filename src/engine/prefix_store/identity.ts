/** Names of stored stretches: of the model, whose prompt it is, and all tokens before its end. @module */

import { nodeCrypto } from "../../process/node.ts";
import { NUMERICS_VERSION } from "../../protocol/numerics.ts";
import { canonicalJson } from "../../protocol/receipts/canonical.ts";

/** On what the bytes of keys and values depend, beside the tokens. */
export interface StoreModel {
  /** Of the model's file. */
  readonly sha256: string;
  /** The format to which the weights were quantised while they were loaded. */
  readonly weights?: string;
  readonly kvFormat: string;
  /** Those that multiply BF16 weights, where there are such. */
  readonly instructions?: string;
  /** Longest sequence in tokens: some models choose their RoPE by it. */
  readonly contextLength: number;
  /** Bytes of a block, by group of layers. */
  readonly blockBytes: readonly number[];
  readonly blockTokens: number;
}

/** The form of the files. */
const FORM = "kumi prefix 1";

/** What all names of one model in one store begin from. `secret`: without it nobody can tell names, or guess at prompts by them. */
export function storeSeed(model: StoreModel, secret?: Uint8Array): Uint8Array {
  const facts = canonicalJson({ form: FORM, numerics: NUMERICS_VERSION, ...model });
  const { createHash, createHmac } = nodeCrypto();
  return (secret === undefined ? createHash("sha256") : createHmac("sha256", secret)).update(facts).digest();
}

/**
 * The names of the whole stretches of a prompt, in hex: each is a hash of the one before and its tokens, so that it stands for everything
 * up to its end. Tenants have no name in common.
 */
export function stretchNames(
  seed: Uint8Array,
  tenant: string,
  tokens: ArrayLike<number>,
  stretchTokens: number,
): string[] {
  const { createHash } = nodeCrypto();
  let link: Uint8Array = createHash("sha256").update(seed).update(tenant).digest();
  const names: string[] = [];
  for (let first = 0; first + stretchTokens <= tokens.length; first += stretchTokens) {
    const bytes = new DataView(new ArrayBuffer(4 * stretchTokens));
    for (let i = 0; i < stretchTokens; i++) bytes.setUint32(4 * i, tokens[first + i], true);
    link = createHash("sha256").update(link).update(new Uint8Array(bytes.buffer)).digest();
    names.push(link.toHex());
  }
  return names;
}
