import type { Model } from "../client/model.ts";
import { RefusedError } from "../protocol/errors.ts";

const PROMPT = "1 2 3 4 5 6 7 8";
const TOKENS = 4;
/** Not the name of any caller: what is known for others is not used. */
const TENANT = "kumi canary";

/** Asks the model the same thing again and again: the answer must stay the same, to the bit. */
export class Canary {
  readonly #model: Model;
  readonly #class: string;
  #expected: string | null = null;
  #isRight = false;
  #answeredAt = -Infinity;

  /** `latencyClass`: name of the class to ask in. */
  constructor(model: Model, latencyClass: string) {
    this.#model = model;
    this.#class = latencyClass;
  }

  /** Whether the last answer was right. */
  get isRight(): boolean {
    return this.#isRight;
  }

  /** Ms since the last answer. */
  get ageMs(): number {
    return performance.now() - this.#answeredAt;
  }

  /** Asks. Never rejects. */
  async ask(): Promise<void> {
    const tokens: number[] = [];
    try {
      const { logprobs = [] } = await this.#model.generate(PROMPT, {
        class: this.#class,
        tenant: TENANT,
        priority: 100,
        temperature: 0,
        seed: 0,
        maxTokens: TOKENS,
        ignoreEnd: true,
        logprobs: 0,
        onTokens: (more) => tokens.push(...more),
      }).result;
      const values = logprobs.map(({ logprob }) => logprob);
      const answer = JSON.stringify([tokens, values]);
      this.#expected ??= answer;
      this.#isRight = answer === this.#expected && values.length === TOKENS && values.every(Number.isFinite);
    } catch (error) {
      // Too much waits for anything more: that is no sign of damage.
      if (!(error instanceof RefusedError)) this.#isRight = false;
    }
    this.#answeredAt = performance.now();
  }
}
