/** A receipt without a signature, of no model and no answer. @module */

import type { Receipt } from "../../src/protocol/receipts/receipt.ts";

/** Stands for every hash in it. */
export const HASH = "ab".repeat(32);

export const RECEIPT: Receipt = {
  kumi_receipt: 1,
  kumi: "0.1.0",
  time: "2026-01-02T03:04:05.678Z",
  utc_offset_minutes: 0,
  model: { sha256: HASH },
  numerics: 1,
  kv_format: "f16",
  context_length: 512,
  sampling: {
    temperature: 0.8,
    top_k: 40,
    top_p: 0.95,
    min_p: 0.05,
    repeat_penalty: 1,
    presence_penalty: 0,
    frequency_penalty: 0,
    penalty_tokens: 64,
    logit_bias: [[3, -1.5]],
    seed: 7,
  },
  prompt: { tokens: 3, sha256: HASH },
  answer: { tokens: 2, sha256: HASH, marks: "AAAAAA", finish_reason: "stop" },
};
