import { assert, assertEquals } from "@std/assert";
import { isWithin, keptShare } from "../traffic/prompt_limit.ts";
import { promptLimits } from "./prompt_limits.ts";
import type { TrialObjectives } from "./report_data.ts";

const ALONE = [{ promptTokens: 400, ttftMs: 500 }, { promptTokens: 1000, ttftMs: 1100 }, {
  promptTokens: 3000,
  ttftMs: 3100,
}];
/** Of 100 requests each tenth has 4,000 tokens. */
const REQUESTS = Array.from({ length: 100 }, (_, i) => ({
  class: "interactive",
  promptTokens: i % 10 === 0 ? 4000 : 500 + i,
}));

const objectives = (ttftMs: number | null, share = 0.95): TrialObjectives => ({
  share,
  classes: [{ class: "interactive", ttftMs, itlMs: null, itlStat: "mean", from: "default" }],
});

Deno.test("promptLimits() leaves out what takes more than half of its objective alone", () => {
  const [limit, ...others] = promptLimits(ALONE, REQUESTS, objectives(5000));
  assertEquals(others, []);
  assertEquals([limit.class, limit.tokens, limit.share], ["interactive", 2400, 0.1]);
  // As long as the rest of the line says a prompt of 4,000 tokens takes, twice.
  assertEquals(limit.ttftMsForAll, 8200);
  assertEquals(keptShare([limit]), 0.9);
  assert(isWithin({ class: "interactive", promptTokens: 2400 }, [limit]));
  assert(!isWithin({ class: "interactive", promptTokens: 2401 }, [limit]));
  assert(isWithin({ class: "batch", promptTokens: 9000 }, [limit]));
});

Deno.test("promptLimits() has none where nobody waits, few are too long, or nearly all are", () => {
  assertEquals(promptLimits(ALONE, REQUESTS, objectives(null)), []);
  assertEquals(promptLimits([], REQUESTS, objectives(5000)), []);
  assertEquals(promptLimits(ALONE, REQUESTS, objectives(5000, 0.9)), []);
  assertEquals(promptLimits(ALONE, REQUESTS, objectives(10_000)), []);
  assertEquals(promptLimits(ALONE, REQUESTS, objectives(600)), []);
  // Other classes' requests count for the share.
  const half = [...REQUESTS, ...REQUESTS.map((each) => ({ ...each, class: "batch" }))];
  assertEquals(promptLimits(ALONE, half, objectives(5000))[0].share, 0.05);
});

Deno.test("promptLimits() goes on beyond what was measured", () => {
  const short = ALONE.slice(0, 2);
  assertEquals(promptLimits(short, REQUESTS, objectives(5000))[0].tokens, 2400);
  // One length alone: as if the line came from nothing.
  assertEquals(promptLimits(ALONE.slice(1, 2), REQUESTS, objectives(4400))[0].tokens, 2000);
});
