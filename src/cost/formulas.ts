/** The formulas of the cost model in the words of docs/cost.md and of a report's appendix. @module */

/** A formula: which function reckons it is told in docs/cost.md. */
export interface CostFormula {
  readonly id: string;
  readonly formula: string;
}

export const COST_FORMULAS: readonly CostFormula[] = [
  { id: "tokens", formula: "T = P + A" },
  { id: "hardware", formula: "K = p · (1 − r) / (12 · L)" },
  { id: "annuity", formula: "K = (p − r · p / (1 + j)^n) · j / (1 − (1 + j)^−n),  j = i / 12,  n = 12 · L" },
  { id: "maintenance", formula: "M = m · p / 12" },
  { id: "energy", formula: "E(u) = (Wi + (Wb − Wi) · u) / 1000 · PUE · 730 · e" },
  { id: "own", formula: "F(u) = K + M + E(u) + U · R + h · s" },
  { id: "rented", formula: "F(u) = q · H + x + h · s" },
  { id: "api", formula: "D = ((P − C) · a + C · b + A · o) / 10⁶" },
  { id: "perMillion", formula: "cost(u) = F(u) / (u · c · 730 · 3600 · T) · 10⁶" },
  { id: "perMillionApi", formula: "cost = D / T · 10⁶" },
  { id: "machines", formula: "n = max(1, ⌈V · k / (730 · 3600 · c)⌉) + spare" },
  { id: "month", formula: "month = n · F(V / (n · c · 730 · 3600))" },
  { id: "monthApi", formula: "month = V · D + f" },
  { id: "breakEven", formula: "V* = min { V : month₁(V) ≤ month₂(V) }" },
];
