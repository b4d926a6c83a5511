/** Receipts in files: alone, within answers and streams, in lines of an audit. @module */

import { z } from "zod";
import { type Receipt, RECEIPT_VERSION } from "../../protocol/receipts/receipt.ts";
import { type Said, saidBeside } from "./said.ts";
import { markedTokens } from "../../protocol/receipts/token_chain.ts";

/** A file, or something in it, that is no receipt. */
export class ReceiptError extends Error {
  override readonly name = "ReceiptError";
}

/** A receipt, and what stood beside it. */
export interface FoundReceipt {
  readonly receipt: Receipt;
  /** The body of its request, where the line has it. */
  readonly request?: unknown;
  /** The text of its answer, where the line has it. */
  readonly text?: string;
  /** The answer that it came with, where the file is one. */
  readonly said?: Said;
}

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().min(0);

/** Whether marks are of so many tokens. */
function areMarks({ marks, tokens }: { marks: string; tokens: number }): boolean {
  try {
    return markedTokens(marks) === tokens;
  } catch {
    return false;
  }
}

/** Strict: what is signed and not understood could mean anything. */
const RECEIPT = z.strictObject({
  kumi_receipt: z.literal(RECEIPT_VERSION),
  kumi: z.string(),
  time: z.iso.datetime(),
  utc_offset_minutes: z.number().int().min(-1440).max(1440),
  model: z.strictObject({ sha256: hash, weights: z.string().optional() }),
  numerics: count,
  kv_format: z.string(),
  instructions: z.string().optional(),
  context_length: z.number().int().min(1),
  request: z.strictObject({ endpoint: z.string(), answer: count }).optional(),
  sampling: z.strictObject({
    temperature: z.number(),
    top_k: count,
    top_p: z.number(),
    min_p: z.number(),
    repeat_penalty: z.number(),
    presence_penalty: z.number(),
    frequency_penalty: z.number(),
    penalty_tokens: count,
    logit_bias: z.array(z.tuple([count, z.number()])),
    seed: count,
  }),
  prompt: z.strictObject({ tokens: count, sha256: hash }),
  answer: z.strictObject({
    tokens: count,
    sha256: hash,
    marks: z.string(),
    finish_reason: z.enum(["stop", "length", "abort", "deadline"]),
  }).refine(areMarks, "its marks must be of as many tokens, in base64url"),
  signature: z.strictObject({ key: z.string(), ed25519: z.string() }).optional(),
});

/** A value as a receipt. Throws a ReceiptError that says what is wrong. */
export function toReceipt(value: unknown): Receipt {
  const read = RECEIPT.safeParse(value);
  if (read.success) return read.data;
  const [{ path, message }] = read.error.issues;
  throw new ReceiptError(
    `${path.length === 0 ? "a receipt" : `"${path.join(".")}" of a receipt`}: ${message}`,
  );
}

/**
 * All receipts in the text of a file: one value of JSON, lines of it, or the events of a stream. Throws a ReceiptError where there is
 * none, or one is damaged.
 */
export function readReceipts(text: string): FoundReceipt[] {
  const whole = parsed(text);
  const values = whole === undefined ? text.split("\n").flatMap(lineValue) : [whole];
  const found = values.flatMap((value) => [...receiptsIn(value, 0)]);
  if (found.length === 0) {
    throw new ReceiptError(
      "there is no receipt in it: it must be a receipt, an answer that has one, or lines of an audit",
    );
  }
  const said = saidBeside(text);
  return said === null ? found : found.map((each) => each.request === undefined ? { ...each, said } : each);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The value of a line: of a stream's events those that are JSON, of a file of lines all. */
function lineValue(line: string, index: number): unknown[] {
  const isEvent = /^(data|event|id|retry)?:/.test(line);
  const text = isEvent ? line.replace(/^data: ?/, "") : line;
  if (text.trim() === "") return [];
  const value = parsed(text);
  if (value !== undefined) return [value];
  if (isEvent) return [];
  throw new ReceiptError(`line ${index + 1} is no JSON`);
}

const DEPTH_MAX = 8;

function* receiptsIn(value: unknown, depth: number): Generator<FoundReceipt> {
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return;
  if ("kumi_receipt" in value) return yield { receipt: toReceipt(value) };
  const { receipt, request, text } = value as { receipt?: unknown; request?: unknown; text?: unknown };
  if (request !== undefined && receipt !== undefined) {
    return yield { receipt: toReceipt(receipt), request, ...typeof text === "string" ? { text } : {} };
  }
  for (const each of Object.values(value)) yield* receiptsIn(each, depth + 1);
}
