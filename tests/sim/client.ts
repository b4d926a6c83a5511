import { Oracle } from "./fake_kernel.ts";
import type { SimRequest } from "./scenario.ts";
import { violate } from "./violation.ts";

/** Why a request ended. */
export type EndReason = "done" | "abort" | "deadline" | "quarantine";

/** One request as its sender sees it, who knows what the answer has to be. */
export class Client {
  readonly request: SimRequest;
  readonly emitted: number[] = [];
  isAccepted = false;
  endReason: EndReason | null = null;
  /** Tokens that were sent and not read yet. */
  unread = 0;
  /** Workers that died while they computed it. */
  deaths = 0;
  readonly #oracle: Oracle;

  constructor(request: SimRequest, blockTokens: number) {
    this.request = request;
    this.#oracle = new Oracle(request.tokens, blockTokens);
  }

  /** Whether it waits for more. */
  get isOpen(): boolean {
    return this.isAccepted && this.endReason === null;
  }

  /** Guesses `count` tokens of the answer from token `from` on, as well as `isRight` says. */
  guess(from: number, count: number, isRight: () => boolean): number[] {
    return Array.from({ length: count }, (_, i) => isRight() ? this.#oracle.token(from + i) : -1);
  }

  /** Takes a token of the answer. */
  receive(token: number): void {
    const { id } = this.request;
    if (!this.isOpen) violate("ends-once", `request ${id} gets a token after its end (${this.endReason})`);
    const wanted = this.#oracle.token(this.emitted.length);
    if (token !== wanted) {
      violate(
        "oracle-prefix",
        `token ${this.emitted.length} of request ${id} is ${token} and should be ${wanted}`,
      );
    }
    this.emitted.push(token);
    this.unread++;
  }

  /** Takes the end of the answer. */
  end(reason: EndReason): void {
    const { id, maxTokens, deadlineMs } = this.request;
    if (!this.isAccepted) violate("ends-once", `request ${id} ends and was never accepted`);
    if (this.endReason !== null) {
      violate("ends-once", `request ${id} ends twice: ${this.endReason}, ${reason}`);
    }
    this.endReason = reason;
    if (reason === "deadline" && deadlineMs === undefined) {
      violate("ends-once", `request ${id} has no deadline`);
    }
    if (reason === "quarantine" && this.deaths < 2) {
      violate("quarantine", `request ${id} killed ${this.deaths} workers`);
    }
    if (reason === "done" && this.emitted.length !== this.#oracle.length(maxTokens)) {
      violate("oracle-prefix", `request ${id} ends after ${this.emitted.length} tokens, too early`);
    }
  }
}
