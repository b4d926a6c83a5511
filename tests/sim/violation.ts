/** What must always hold. */
export const INVARIANTS = {
  "blocks-conserve":
    "each block's users are counted right: free, in a sequence, or in the prefix cache; and each state's",
  "ends-once": "each accepted request ends exactly once, for a reason that it has",
  "oracle-prefix": "what a request said is what it had to say, without a gap, a repetition or an early end",
  "no-starvation": "no class with work waits longer than its bound for a token",
  "tenants-apart": "no request reads a block that another tenant wrote",
  "writes-own": "a block is only written by the one sequence that uses it",
  "window-there": "each query finds in every group of layers what it sees there",
  "state-there": "each slice finds the state after all tokens before it, and none else",
  "step-bounds": "a step has no more tokens and sequences than it may, each once, in blocks of its own",
  "queue-bounds":
    "no more requests and tokens wait than a class allows, and a refusal says when to come again",
  "slo-filling":
    "work without an ITL objective does not stretch a step beyond the objective of those who have one, if it can be met",
  "wait-threshold": "a class that tolerates delay starts with a full batch or after its waiting time",
  "preempt-order": "nobody is preempted while a preemptible sequence of a lower class is running",
  "quarantine": "a request that two workers died of is not tried again",
  "no-stall": "work goes on as long as there is some",
} as const;

/** Name of an invariant. */
export type Invariant = keyof typeof INVARIANTS;

/** Thrown where an invariant does not hold. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly invariant: Invariant;

  constructor(invariant: Invariant, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

/** Reports that an invariant does not hold. */
export function violate(invariant: Invariant, detail: string): never {
  throw new Violation(invariant, detail);
}
