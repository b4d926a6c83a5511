import type { RefusalReason } from "../../scheduler/mod.ts";
import { RefusedError } from "./errors.ts";
import type { GenerationRequest, Outlook } from "./protocol.ts";

/** Why a request is not taken, and for how long. */
export interface Refusal {
  readonly reason: RefusalReason;
  /** Undefined: it would be refused always. */
  readonly retryAfterMs?: number;
}

/** The error that a refused request ends with. */
export function refusal(
  { class: className, deadlineMs }: Pick<GenerationRequest, "class" | "deadlineMs">,
  { reason, retryAfterMs }: Refusal,
): RefusedError {
  const name = `"${className}"`;
  const why = {
    "too-long": `prompt and answer do not fit into the KV cache or the queue of class ${name}`,
    "queue-full": `the queue of class ${name} is full`,
    "slo": `its first token would come later than class ${name} promises`,
    "deadline": `it would not meet its deadline of ${deadlineMs} ms`,
  }[reason];
  const again = retryAfterMs === undefined ? "" : `; try again in ${Math.ceil(retryAfterMs / 1000)} s`;
  return new RefusedError(`The request was refused: ${why}${again}`, reason, retryAfterMs);
}

/** After a queue that is only full of what is under way to it. */
const RETRY_MS = 1000;

/** A request as far as it is known before a worker has it. */
export interface UnseenRequest {
  readonly class: string;
  /** Tokens of its prompt that have to be computed, about. */
  readonly tokens: number;
  /** Ms from now in which it has to end. */
  readonly deadlineMs?: number;
}

/** Requests that a class was sent. */
interface Sent {
  /** So many are known to have arrived. */
  arrived: number;
  /** Tokens of the others' prompts, in the order in which they were sent. */
  readonly tokens: number[];
}

/**
 * What a worker has last said about new requests, and what it was sent since: so that a request which has no chance is refused
 * at once. A worker can only answer between two steps.
 */
export class KnownOutlook {
  readonly #sent = new Map<string, Sent>();
  #classes: readonly Outlook[] = [];

  /** Takes what the worker says. */
  learn(classes: readonly Outlook[]): void {
    this.#classes = classes;
    for (const { name, asked } of classes) {
      const sent = this.#sentTo(name);
      sent.tokens.splice(0, asked - sent.arrived);
      sent.arrived = asked;
    }
  }

  /** Notes a request that is sent to the worker. */
  send(request: UnseenRequest): void {
    this.#sentTo(request.class).tokens.push(request.tokens);
  }

  /** Why the worker would refuse a request; null where it may take it. */
  refusalFor({ class: name, tokens, deadlineMs = Infinity }: UnseenRequest): Refusal | null {
    const known = this.#classes.find((each) => each.name === name);
    if (known === undefined) return null;
    if (known.refusal !== undefined) return known.refusal;
    const underWay = this.#sentTo(name).tokens;
    // Whether its own prompt is more than the queue ever takes is for the worker to say.
    if (underWay.length >= known.places || sum(underWay) >= known.placesTokens) {
      return { reason: "queue-full", retryAfterMs: RETRY_MS };
    }
    const sloMs = known.ttftSloMs ?? Infinity;
    const ttftMs = this.#ttftMs(known, tokens);
    if (ttftMs > sloMs) return { reason: "slo", retryAfterMs: ttftMs - sloMs };
    // Whether it would be late by itself, and need not come again, is for the worker to say.
    const othersMs = this.#ttftMs(known, 0);
    return othersMs > deadlineMs ? { reason: "deadline", retryAfterMs: othersMs - deadlineMs } : null;
  }

  /** Ms until the first token after a prompt of so many, behind all that is under way and goes before it. */
  #ttftMs({ name, priority, forecast }: Outlook, tokens: number): number {
    if (forecast === undefined) return 0;
    let ahead = tokens;
    for (const other of this.#classes) {
      if (other.priority >= priority) ahead += sum(this.#sentTo(other.name).tokens);
    }
    const { ttftMs, msPerToken, slots, msPerRequest } = forecast;
    // The forecast has one request of the class in it.
    const waiting = Math.max(0, this.#sentTo(name).tokens.length - Math.max(0, slots - 1));
    return ttftMs + ahead * msPerToken + waiting * msPerRequest;
  }

  #sentTo(name: string): Sent {
    let sent = this.#sent.get(name);
    if (sent === undefined) this.#sent.set(name, sent = { arrived: 0, tokens: [] });
    return sent;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
