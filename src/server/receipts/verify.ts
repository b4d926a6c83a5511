/** Checks receipts: computes the answers again and compares. @module */

import type { Generation, GenerationResult } from "../../client/generation.ts";
import type { Model } from "../../client/model.ts";
import type { ModelInfo } from "../../protocol/model_info.ts";
import { NUMERICS_VERSION } from "../../protocol/numerics.ts";
import type { ChatOptions } from "../../protocol/options/generation.ts";
import { canonicalJson } from "../../protocol/receipts/canonical.ts";
import type { Receipt } from "../../protocol/receipts/receipt.ts";
import type { Prompt } from "../../protocol/request.ts";
import { firstDifference } from "../../protocol/receipts/token_chain.ts";
import type { Dialect, Endpoint, Generating, Plan } from "../dialects/dialect.ts";
import { type FoundReceipt, ReceiptError } from "./read.ts";
import type { Said } from "./said.ts";
import { different, differingJson, differingText, notComparable, type Verdict } from "./verdict.ts";

/** An answer with its receipt. */
type Proven = GenerationResult & { readonly receipt: Receipt };

/** Why a receipt cannot be checked with a model, or cannot be right; undefined where it can. */
export function preliminary(
  receipt: Receipt,
  info: Pick<ModelInfo, "instructions">,
  sha256: string,
): Verdict | undefined {
  const { model, numerics, instructions } = receipt;
  if (model.sha256 !== sha256) {
    return different(`the model is another one: its sha256 is ${sha256}, the receipt says ${model.sha256}`);
  }
  if (numerics !== NUMERICS_VERSION) {
    return notComparable(
      `the receipt is of version ${numerics} of kumi's numbers (kumi ${receipt.kumi}), this kumi computes version ${NUMERICS_VERSION}`,
    );
  }
  if (instructions !== info.instructions) {
    const named = (name = "none") => name;
    return notComparable(
      `products of BF16 weights depend on the instructions: ${named(instructions)} there, ${
        named(info.instructions)
      } here`,
    );
  }
}

/** Computes again what receipts are of, with one model that is loaded as they say. */
export class Verifier {
  readonly #model: Model;
  readonly #dialects = new Map<string, Promise<Dialect>>();
  readonly #onUnknown?: (field: string) => void;

  /** `lenient`: fields of requests that are not known are ignored, as that server ignored them. */
  constructor(model: Model, endpoints: readonly Endpoint[], lenient = false) {
    this.#model = model;
    for (const { path, load } of endpoints) {
      const loading = load();
      loading.catch(() => {});
      this.#dialects.set(path, loading);
    }
    if (lenient) this.#onUnknown = () => {};
  }

  /**
   * Computes the answer of a receipt and compares. `said`: the answer as somebody has it; default: that with which it came. Throws a
   * ReceiptError where the request is no such request, and what the model throws.
   */
  async verify(
    { receipt, request, text, said: own }: FoundReceipt,
    said: Said | undefined = own,
    signal?: AbortSignal,
  ): Promise<Verdict> {
    const plan = await this.#plan(receipt, request);
    const work = this.#work(plan, receipt);
    const { seed } = work.options;
    if (seed !== undefined && seed !== receipt.sampling.seed) {
      return different(
        `the request is another one: its seed is ${seed}, the receipt says ${receipt.sampling.seed}`,
      );
    }
    const result = await this.#compute(work, receipt, signal);
    const verdict = compared(receipt, result.receipt);
    if (verdict.outcome !== "same") return verdict;
    const wrong = text === undefined ? undefined : differingText(text, result.text);
    const other = wrong ?? this.#compareSaid(said, plan, receipt, result);
    if (other !== undefined) return other;
    return said === undefined && text === undefined ? { ...verdict, withoutText: true } : verdict;
  }

  async #plan(receipt: Receipt, body: unknown): Promise<Plan> {
    const dialect = await this.#dialects.get(endpointOf(receipt, body));
    if (dialect?.plan === undefined) {
      throw new ReceiptError(`there is no endpoint ${JSON.stringify(receipt.request?.endpoint)} here`);
    }
    const fields = dialect.read(body, this.#onUnknown);
    return await dialect.plan(fields, {
      id: "verify",
      tenant: "",
      created: 0,
      headers: new Headers(),
      model: this.#model,
      modelName: "",
      served: () => [],
    });
  }

  #work({ works }: Plan, { request }: Receipt): Generating {
    const work = works[request?.answer ?? 0];
    if (work?.kind === "generating") return work;
    throw new ReceiptError(`the request has no answer ${request?.answer}, it has ${works.length}`);
  }

  async #compute({ prompt, options }: Generating, receipt: Receipt, signal?: AbortSignal): Promise<Proven> {
    const { sampling, time, utc_offset_minutes, answer } = receipt;
    const { class: _, deadlineMs: __, priority: ___, tenant: ____, ...asked } = options;
    const again: ChatOptions = {
      ...asked,
      // What somebody cut has as many tokens here; how it would have ended is not known.
      ...isCut(receipt)
        ? {
          maxTokens: answer.tokens,
          minTokens: Math.min(asked.minTokens ?? 0, answer.tokens),
          closeOnLength: false,
        }
        : {},
      seed: sampling.seed,
      receipt: true,
      signal,
    };
    const { receipt: made, ...result } = await this.#start(prompt, again, localTime(time, utc_offset_minutes))
      .result;
    signal?.throwIfAborted();
    return { ...result, receipt: made! };
  }

  #start(prompt: Prompt, options: ChatOptions, now: number): Generation {
    if (!("messages" in prompt)) {
      return this.#model.generate("text" in prompt ? prompt.text : prompt.tokens, options);
    }
    const { messages, ...shape } = prompt;
    return this.#model.chat(messages, { ...options, ...shape, now });
  }

  /** Compares with the answer as somebody has it; undefined where it is the same, or there is none. */
  #compareSaid(said: Said | undefined, { works, whole }: Plan, receipt: Receipt, result: GenerationResult) {
    if (said === undefined) return undefined;
    if (said.kind === "text") return differingText(said.text, result.text);
    const index = receipt.request?.answer ?? 0;
    if (said.kind === "stream") return differingText(said.texts.get(index) ?? "", result.text);
    const given = said.json;
    // Of one that was cut the end is not known.
    if (isCut(receipt)) return undefined;
    const written = JSON.parse(JSON.stringify(whole(works.map(() => result))));
    if (works.length === 1) return differingJson(given, written);
    return differingJson(choiceOf(given, index), choiceOf(written, index));
  }
}

/** One answer of several. */
function choiceOf(answer: object, index: number): unknown {
  return (answer as { choices?: unknown[] }).choices?.[index];
}

/** Requests without a server's receipt are told apart by what they have. */
function endpointOf({ request }: Receipt, body: unknown): string {
  if (request !== undefined) return request.endpoint;
  return typeof body === "object" && body !== null && "messages" in body
    ? "/v1/chat/completions"
    : "/v1/completions";
}

/** The moment at which it is as late here as it was there: templates write local times. */
function localTime(time: string, offsetMinutes: number): number {
  const there = Date.parse(time);
  const here = -new Date(there).getTimezoneOffset();
  return there + (offsetMinutes - here) * 60_000;
}

function isCut({ answer }: Receipt): boolean {
  return answer.finish_reason === "abort" || answer.finish_reason === "deadline";
}

function compared(receipt: Receipt, again: Receipt): Verdict {
  const { prompt, answer } = receipt;
  if (prompt.sha256 !== again.prompt.sha256) {
    const { tokens, sha256 } = again.prompt;
    return different(
      `the prompt is another one: ${tokens} tokens of hash ${sha256}, the receipt says ${prompt.tokens} of ${prompt.sha256}`,
    );
  }
  for (const [name, value] of Object.entries(receipt.sampling)) {
    const own = canonicalJson(again.sampling[name as keyof Receipt["sampling"]]),
      theirs = canonicalJson(value);
    if (own !== theirs) {
      return different(`the request is another one: its "${name}" is ${own}, the receipt says ${theirs}`);
    }
  }
  const token = firstDifference(answer.marks, again.answer.marks);
  if (token !== undefined) {
    return different(
      `the answer differs from token ${token} on (the first is 0), of ${answer.tokens}`,
      token,
    );
  }
  if (answer.sha256 !== again.answer.sha256) {
    return different(
      "the answer's hash is another one, though its marks are the same: the receipt was changed",
    );
  }
  if (!isCut(receipt) && answer.finish_reason !== again.answer.finish_reason) {
    return different(
      `the answer ends for another reason: "${again.answer.finish_reason}", the receipt says "${answer.finish_reason}"`,
    );
  }
  return {
    outcome: "same",
    reason: `same bits: ${answer.tokens} tokens behind a prompt of ${prompt.tokens}`,
  };
}
