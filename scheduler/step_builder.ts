import type { Sequence } from "./sequence.ts";
import { plannedMs } from "./step_budget.ts";
import { attendedKv, type StepLoad, type StepTimes } from "./step_cost.ts";

/** What bounds a step. */
export interface StepLimits {
  /** Most tokens in a step. */
  readonly tokensMax: number;
  /** Most sequences in a step. */
  readonly itemsMax: number;
  /** Most tokens in a step whose logits are wanted. */
  readonly rowsMax: number;
  /** Tokens of prompts beside others' latency objectives, until steps have been measured. */
  readonly firstChunk: number;
}

/** One step in the making: who computes how much, and how long that will take. */
export class StepBuilder {
  readonly items: Sequence[] = [];
  readonly #limits: StepLimits;
  readonly #model: StepTimes;
  #tokens = 0;
  #kv = 0;

  constructor(limits: StepLimits, model: StepTimes) {
    this.#limits = limits;
    this.#model = model;
  }

  get load(): StepLoad {
    return { tokens: this.#tokens, kv: this.#kv };
  }

  /** Whether nothing more can be added. */
  get isFull(): boolean {
    return this.#tokens >= this.#limits.tokensMax || this.items.length >= this.#limits.itemsMax;
  }

  /**
   * Most of a sequence's missing tokens that the step has room for, within a predicted `limitMs`; `floor` of
   * them are always allowed.
   */
  roomFor(sequence: Sequence, limitMs: number, floor: number): number {
    if (this.isFull) return 0;
    const room = Math.min(sequence.reach, this.#limits.tokensMax - this.#tokens);
    if (limitMs === Infinity) return aligned(sequence, room);
    const within = this.#model.isReady
      ? this.#model.tokensWithin(plannedMs(limitMs, this.#model), this.load, sequence.first)
      : this.#limits.firstChunk - this.#tokens;
    return aligned(sequence, Math.max(0, Math.min(room, Math.max(within, floor))));
  }

  add(sequence: Sequence, count: number): void {
    sequence.count = count;
    this.items.push(sequence);
    this.#tokens += count;
    this.#kv += attendedKv(sequence.first, count);
  }

  /** Adds guesses of what comes behind a sequence that the step computes to its end. */
  addDraft(sequence: Sequence, draft: readonly number[]): void {
    sequence.draft = draft;
    this.#tokens += draft.length;
    this.#kv += attendedKv(sequence.tokens.length, draft.length);
  }

  /** Tokens that could be added to it whose logits are wanted. */
  get rowsLeft(): number {
    const { tokensMax, rowsMax } = this.#limits;
    return Math.min(tokensMax - this.#tokens, rowsMax - this.items.length);
  }

  /** Takes a sequence out again. */
  remove(sequence: Sequence): void {
    const at = this.items.indexOf(sequence);
    if (at < 0) return;
    this.items.splice(at, 1);
    this.#tokens -= sequence.count;
    this.#kv -= attendedKv(sequence.first, sequence.count);
    sequence.count = 0;
  }
}

/** As many tokens of a sequence, or fewer, so that they end where its state can be kept. */
function aligned({ first, missing, alignTokens }: Sequence, count: number): number {
  if (count >= missing) return count;
  const over = (first + count) % alignTokens;
  return over < count ? count - over : count;
}
