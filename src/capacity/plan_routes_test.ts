import { assert, assertEquals, assertThrows } from "@std/assert";
import { DEFAULT_CLASSES } from "../../scheduler/mod.ts";
import { parseClasses, poissonArrivals } from "../loadtest/arrivals.ts";
import type { PlanInput } from "./plan.ts";
import { planRoutes, type UpstreamSpeed } from "./plan_routes.ts";

const INPUT: PlanInput = {
  arrivalsAt: (load) =>
    poissonArrivals(parseClasses("interactive:0.7:300/40,batch:0.3:300/40"), {
      perSecond: load,
      seconds: 60,
      seed: 3,
    }),
  server: {
    step: { fixedMs: 20, msPerToken: 1, msPerKvEntry: 0, relativeError: 0.05, requestMs: 1, tokenMs: 1 },
    workers: 1,
    classes: DEFAULT_CLASSES.map((each) => each.name === "interactive" ? { ...each, ttftSloMs: 1500 } : each),
    batchTokensMax: 512,
    sequencesMax: 32,
    kvTokens: 32_768,
    prefixCache: true,
  },
  objectives: new Map([["interactive", { ttftMs: 1500, itlStat: "mean" as const }]]),
  share: 0.95,
};
const UPSTREAM: UpstreamSpeed = {
  firstTokenMs: 150,
  promptTokensPerSecond: 10_000,
  tokensPerSecond: 100,
  price: { promptPerMillion: 1000, answerPerMillion: 4000 },
};

Deno.test("planRoutes() recommends nothing elsewhere where the machine here carries the load", () => {
  const { recommended, savedPerHour, choices } = planRoutes(INPUT, 0.3, UPSTREAM);
  assertEquals([recommended.way, recommended.awayShare, recommended.costPerHour], ["here", 0, 0]);
  assertEquals(savedPerHour, choices[1].costPerHour);
});

Deno.test("planRoutes() recommends from when on requests go elsewhere where it does not", () => {
  const { recommended, savedPerHour, choices } = planRoutes(INPUT, 4, UPSTREAM);
  const [here, there] = choices;
  assert(!here.isGood && there.isGood);
  assertEquals(recommended.way, "overflow");
  assert(
    recommended.isGood && savedPerHour > 0.1 * there.costPerHour,
    `${savedPerHour} of ${there.costPerHour}`,
  );
  assertEquals(recommended.rules, [{
    classes: ["interactive"],
    waitMs: Math.round(1500 * recommended.waitShare!),
  }]);
});

Deno.test("planRoutes() says what keeps most where nothing keeps all, and refuses a speed that is none", () => {
  const slow = { ...UPSTREAM, firstTokenMs: 5000 };
  const { recommended } = planRoutes(INPUT, 4, slow);
  assertEquals(recommended.isGood, false);
  assertThrows(
    () => planRoutes(INPUT, 1, { ...UPSTREAM, tokensPerSecond: 0 }),
    RangeError,
    "tokensPerSecond",
  );
});
