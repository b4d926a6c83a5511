import { assertEquals } from "@std/assert";
import { KnownOutlook } from "./refusal.ts";

Deno.test("KnownOutlook refuses what a worker would refuse, and what is more than it has room for", () => {
  const known = new KnownOutlook();
  const why = (name: string) => known.refusalFor(name)?.reason ?? null;
  known.ask("a");
  assertEquals(why("a"), null, "nothing is known yet");
  known.learn([{ name: "a", places: 2, asked: 1 }, {
    name: "b",
    places: 9,
    asked: 0,
    refusal: { reason: "slo", retryAfterMs: 70 },
  }]);
  assertEquals(known.refusalFor("b"), { reason: "slo", retryAfterMs: 70 });
  known.ask("a");
  assertEquals(why("a"), null);
  known.ask("a");
  assertEquals(why("a"), "queue-full");
  // The worker has heard of one of them.
  known.learn([{ name: "a", places: 2, asked: 2 }]);
  assertEquals([why("a"), why("b"), why("c")], [null, null, null]);
});
