/**
 * Three examples reckoned by hand: each table is a spreadsheet whose lines were worked out with pen and paper
 * by the formulas of docs/cost.md, and are compared with what the functions give.
 */

import { assertAlmostEquals, assertEquals } from "@std/assert";
import { breakEven } from "./break_even.ts";
import type { ApiOption, CostInputs, CostOption, OwnOption, RentedOption } from "./inputs.ts";
import {
  apiPerRequest,
  energyPerMonth,
  hardwarePerMonth,
  machinePerMonth,
  machinesFor,
  maintenancePerMonth,
  monthlyCost,
  tokensPerRequest,
} from "./monthly.ts";
import { perMillionTokens } from "./per_million.ts";
import { sensitivity } from "./sensitivity.ts";

type Line = readonly [what: string, byHand: number, given: number];

/** To seven digits: the tables have no more. */
function check(table: readonly Line[]): void {
  for (const [what, byHand, given] of table) {
    assertAlmostEquals(given, byHand, Math.abs(byHand) * 1e-7, `${what}: ${given} instead of ${byHand}`);
  }
}

/** 800 tokens of a prompt, 200 of them cached, and 200 of an answer. */
const mix = { promptTokens: 800, cachedTokens: 200, answerTokens: 200 };

const own: OwnOption = {
  kind: "own",
  id: "own",
  name: "Own server",
  capacity: { requestsPerSecond: 2, basis: "measured" },
  price: 12_000,
  lifeYears: 5,
  residualShare: 0.1,
  interestPerYear: 0,
  maintenancePerYear: 0.05,
  power: { idleWatts: 150, busyWatts: 400, basis: "given" },
  powerPricePerKwh: 0.2,
  pue: 1.5,
  rackUnits: 2,
  rackUnitPerMonth: 25,
  staffHoursPerMonth: 4,
  staffPerHour: 50,
};

const rented: RentedOption = {
  kind: "rented-gpu",
  id: "gpu",
  name: "Rented GPU",
  capacity: { requestsPerSecond: 20, basis: "assumed" },
  pricePerHour: 1.006,
  hoursPerMonth: 730,
  extrasPerMonth: 40,
  staffHoursPerMonth: 2,
  staffPerHour: 50,
};

const api: ApiOption = {
  kind: "api",
  id: "api",
  name: "API",
  inputPerMillion: 0.4,
  cachedInputPerMillion: 0.1,
  outputPerMillion: 1.6,
  fixedPerMonth: 0,
};

function inputs(options: readonly CostOption[], requestsPerMonth: number, peakToMean = 1): CostInputs {
  return {
    currency: "EUR",
    date: "2026-11-30",
    mix,
    volume: { requestsPerMonth, peakToMean, basis: "prices" },
    spareMachines: 0,
    options,
    leftOut: [],
    sources: [],
  };
}

Deno.test("worked example 1: an own server at 10, 30 and 70 % of what it can do", () => {
  check([
    // what                                       by hand                              the functions
    ["T   = 800 + 200 tokens", 1000, tokensPerRequest(mix)],
    ["K   = 12000 · 0.9 / 60", 180, hardwarePerMonth(own)],
    ["M   = 0.05 · 12000 / 12", 50, maintenancePerMonth(own)],
    ["E10 = 0.175 kW · 1.5 · 730 h · 0.20", 38.325, energyPerMonth(own, 0.1)],
    ["E30 = 0.225 kW · 1.5 · 730 h · 0.20", 49.275, energyPerMonth(own, 0.3)],
    ["E70 = 0.325 kW · 1.5 · 730 h · 0.20", 71.175, energyPerMonth(own, 0.7)],
    ["rack  2 · 25", 50, machinePerMonth(own, 0.1).rack],
    ["staff 4 · 50", 200, machinePerMonth(own, 0.1).staff],
    ["F10 = 180 + 50 + 38.325 + 50 + 200", 518.325, machinePerMonth(own, 0.1).total],
    ["F30", 529.275, machinePerMonth(own, 0.3).total],
    ["F70", 551.175, machinePerMonth(own, 0.7).total],
    // 2/s · 730 · 3600 s · 1000 tokens are 5256 million tokens a month.
    ["518.325 / 525.6 million", 0.98615868, perMillionTokens(own, mix, 0.1)],
    ["529.275 / 1576.8 million", 0.33566400, perMillionTokens(own, mix, 0.3)],
    ["551.175 / 3679.2 million", 0.14980838, perMillionTokens(own, mix, 0.7)],
  ]);
  // The price from 8,400 to 15,600 moves K from 126 to 234 and M from 35 to 65.
  const bars = sensitivity(own, { mix }, 0.3).bars;
  const price = bars.find(({ input }) => input === "price")!;
  check([
    ["460.275 / 1576.8 million", 0.29190449, price.atLow],
    ["598.275 / 1576.8 million", 0.37942352, price.atHigh],
  ]);
  assertEquals(bars[0].input, "utilisation");
  const widths = bars.map(({ atLow, atHigh }) => Math.abs(atHigh - atLow));
  assertEquals(widths, widths.toSorted((a, b) => b - a));
});

Deno.test("worked example 2: a hundred million requests a month on rented GPUs, with a peak and a spare", () => {
  const given = { ...inputs([rented], 1e8, 3), spareMachines: 1 };
  const month = monthlyCost(rented, given, given.volume);
  check([
    // 10⁸ · 3 / (2,628,000 s · 20/s) = 5.7: six machines and the spare.
    ["n = 6 + 1", 7, machinesFor(rented, given.volume, 1)],
    ["rent 7 · (1.006 · 730 + 40)", 5420.66, month.rent],
    ["staff 7 · 2 · 50", 700, month.staff],
    ["month", 6120.66, month.total],
    ["a million of 10¹¹ tokens", 0.0612066, month.total / (1e8 * tokensPerRequest(mix)) * 1e6],
  ]);
  // What n machines do without a remainder needs n and not n + 1.
  assertEquals(machinesFor(rented, { requestsPerMonth: 3 * 20 * 730 * 3600, peakToMean: 1 }, 0), 3);
});

Deno.test("worked example 3: where an own server costs no more than an API", () => {
  check([
    ["D = (600 · 0.40 + 200 · 0.10 + 200 · 1.60) / 10⁶", 0.00058, apiPerRequest(api, mix)],
    ["D / 1000 tokens · 10⁶", 0.58, perMillionTokens(api, mix, 0.3)],
  ]);
  // 512.85 + V · 54.75 / 5,256,000 = V · 0.00058, within what one machine does.
  const simple = breakEven(own, api, inputs([own, api], 1));
  check([
    ["512.85 / (0.00058 − 54.75 / 5,256,000)", 900_395.026, simple.firstRequests!],
    ["and never more from there on", 900_395.026, simple.alwaysRequests!],
  ]);
  // A fifth of the capacity: each further machine costs more than the API at first, until the 13th does not.
  const slow = { ...own, capacity: { ...own.capacity, requestsPerSecond: 0.4 } };
  const steps = breakEven(slow, api, inputs([slow, api], 1));
  check([
    ["512.85 / (0.00058 − 54.75 / 1,051,200)", 971_460.142, steps.firstRequests!],
    ["13 times that", 12_628_981.85, steps.alwaysRequests!],
  ]);
  // A tenth: one machine costs 567.60 for what the API does for 304.85.
  const slower = { ...own, capacity: { ...own.capacity, requestsPerSecond: 0.2 } };
  assertEquals(breakEven(slower, api, inputs([slower, api], 1)), {
    firstRequests: null,
    alwaysRequests: null,
  });
  // The other way round the API costs no more from nothing on, and for ever.
  assertEquals(breakEven(api, slower, inputs([slower, api], 1)), { firstRequests: 0, alwaysRequests: 0 });
});
