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

/**
 * What a worker has last said about new requests, and what it was asked since: so that a request which has no chance is refused
 * at once. A worker can only answer between two steps.
 */
export class KnownOutlook {
  readonly #asked = new Map<string, number>();
  #classes: readonly Outlook[] = [];

  /** Takes what the worker says. */
  learn(classes: readonly Outlook[]): void {
    this.#classes = classes;
  }

  /** Notes a request that is sent to the worker. */
  ask(name: string): void {
    this.#asked.set(name, (this.#asked.get(name) ?? 0) + 1);
  }

  /** Why the worker would refuse any request of a class; null where it may take one. */
  refusalFor(name: string): Refusal | null {
    const known = this.#classes.find((each) => each.name === name);
    if (known === undefined) return null;
    if (known.refusal !== undefined) return known.refusal;
    const underWay = (this.#asked.get(name) ?? 0) - known.asked;
    return underWay >= known.places ? { reason: "queue-full", retryAfterMs: RETRY_MS } : null;
  }
}
