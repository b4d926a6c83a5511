/** Makes a server's receipts whole: says which request an answer was for, signs, and keeps them. @module */

import type { GenerationResult } from "../../client/generation.ts";
import type { Receipt } from "../../protocol/receipts/receipt.ts";
import { type ReceiptKey, signReceipt } from "../../protocol/receipts/sign.ts";

/** How a server gives receipts. All optional. */
export interface ReceiptOptions {
  /** Signs them; default: nobody does. */
  readonly key?: ReceiptKey;
  /** Takes a line of JSON with the receipt of each answer, whether its client wants one or not; false where it finds no room. */
  readonly audit?: (line: string) => boolean;
  /** Whether these lines have the request and the answer's text, too. */
  readonly auditText?: boolean;
}

/** The request whose answers are proven. */
export interface ProvenRequest {
  /** The server's own id of it. */
  readonly id: string;
  /** Hash of the caller's key; "" without keys. */
  readonly tenant: string;
  /** The path that was asked, in the form that has no other name. */
  readonly endpoint: string;
  /** The value of its body. */
  readonly body: unknown;
}

/** A line of an audit. */
export interface AuditLine {
  readonly id: string;
  readonly tenant?: string;
  readonly receipt: Receipt;
  /** The body of the request, where texts are kept. */
  readonly request?: unknown;
  /** What the model said, where texts are kept. */
  readonly text?: string;
}

/** Where receipts go through. */
export class ReceiptOffice {
  readonly #options: ReceiptOptions;
  readonly #onLost: () => void;

  /** `onLost`: told of each line for which there was no room. */
  constructor(options: ReceiptOptions = {}, onLost: () => void = () => {}) {
    this.#options = options;
    this.#onLost = onLost;
  }

  /** Whether every answer has a receipt. */
  get keepsAll(): boolean {
    return this.#options.audit !== undefined;
  }

  /** The receipt of one of a request's answers as its client gets it. `answer`: which one, from 0. */
  async issue(
    result: GenerationResult & { readonly receipt: Receipt },
    answer: number,
    request: ProvenRequest,
  ): Promise<Receipt> {
    const { key, audit } = this.#options;
    const named = { ...result.receipt, request: { endpoint: request.endpoint, answer } };
    const receipt = key === undefined ? named : await signReceipt(named, key);
    if (audit !== undefined && !audit(JSON.stringify(this.#line(receipt, result, request)))) this.#onLost();
    return receipt;
  }

  #line(receipt: Receipt, { text }: GenerationResult, { id, tenant, body }: ProvenRequest): AuditLine {
    return {
      id,
      ...tenant === "" ? {} : { tenant },
      receipt,
      ...this.#options.auditText ? { request: body, text } : {},
    };
  }
}
