/** What proves an answer: all that another machine needs to compute it again, and hashes of what must come out. @module */

import type { FinishReason } from "../answer.ts";

/** The version of the form. */
export const RECEIPT_VERSION = 1;

/** How tokens were chosen, in the names of requests; all defaults filled in. */
export interface ReceiptSampling {
  readonly temperature: number;
  readonly top_k: number;
  readonly top_p: number;
  readonly min_p: number;
  readonly repeat_penalty: number;
  readonly presence_penalty: number;
  readonly frequency_penalty: number;
  readonly penalty_tokens: number;
  /** Pairs of token id and bias. */
  readonly logit_bias: readonly (readonly [number, number])[];
  /** The seed that was used, whoever chose it. */
  readonly seed: number;
}

/** Of which request an answer is, where a server gave it. */
export interface ReceiptRequest {
  /** The path that was asked, such as "/v1/chat/completions". */
  readonly endpoint: string;
  /** Which of the request's answers, from 0: with `n` over 1, or several prompts, there are several. */
  readonly answer: number;
}

/** Who vouches for a receipt. */
export interface ReceiptSignature {
  /** The public Ed25519 key, 32 bytes in base64url. */
  readonly key: string;
  /** 64 bytes in base64url: of the canonical JSON of the receipt without `signature`. */
  readonly ed25519: string;
}

/** A receipt for one answer. It has no text: who does not know the request learns nothing of it but lengths. */
export interface Receipt {
  readonly kumi_receipt: typeof RECEIPT_VERSION;
  /** kumi's version. */
  readonly kumi: string;
  /** When the request came; what chat templates were told. */
  readonly time: string;
  /** The server's time beside UTC then, in minutes: what chat templates write is local. */
  readonly utc_offset_minutes: number;
  /**
   * SHA-256 of the model's file; of a split one or a folder, of the list of its files with theirs. `weights`: the format to which they
   * were quantised while they were loaded.
   */
  readonly model: { readonly sha256: string; readonly weights?: string };
  /** Equal numbers give equal bits. */
  readonly numerics: number;
  readonly kv_format: string;
  /** Only where the bits depend on it: the instructions that multiply BF16 weights. */
  readonly instructions?: string;
  readonly context_length: number;
  readonly request?: ReceiptRequest;
  readonly sampling: ReceiptSampling;
  readonly prompt: { readonly tokens: number; readonly sha256: string };
  readonly answer: {
    readonly tokens: number;
    /** Of the tokens behind their prompt. */
    readonly sha256: string;
    /** Two bytes for each token, in base64url, which tell where another answer begins to differ. */
    readonly marks: string;
    readonly finish_reason: FinishReason;
  };
  readonly signature?: ReceiptSignature;
}
