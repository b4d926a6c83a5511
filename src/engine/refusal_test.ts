import { assertEquals } from "@std/assert";
import type { Outlook } from "./protocol.ts";
import { KnownOutlook } from "./refusal.ts";

const A: Outlook = { name: "a", priority: 1, places: 2, placesTokens: 100, asked: 0 };
const B: Outlook = { ...A, name: "b", priority: 0, places: 9 };

function bench() {
  const known = new KnownOutlook();
  return {
    known,
    why: (name: string, tokens = 1, deadlineMs?: number) =>
      known.refusalFor({ class: name, tokens, deadlineMs })?.reason ?? null,
    send: (name: string, tokens = 1) => known.send({ class: name, tokens }),
  };
}

Deno.test("KnownOutlook refuses what a worker would refuse, and what is more than it has room for", () => {
  const { known, why, send } = bench();
  send("a");
  assertEquals(why("a"), null, "nothing is known yet");
  const refusal = { reason: "slo", retryAfterMs: 70 } as const;
  known.learn([{ ...A, asked: 1 }, { ...B, refusal }]);
  assertEquals(known.refusalFor({ class: "b", tokens: 1 }), refusal);
  send("a", 99);
  assertEquals([why("a"), why("a", 1000)], [null, null]);
  send("a");
  assertEquals(why("a"), "queue-full");
  known.learn([{ ...A, places: 9, asked: 1 }]);
  assertEquals(why("a"), "queue-full", "100 tokens are under way");
  // The worker has heard of one of them.
  known.learn([{ ...A, asked: 2 }]);
  assertEquals([why("a"), why("b"), why("c")], [null, null, null]);
});

Deno.test("KnownOutlook refuses what would be late behind its own prompt and those under way", () => {
  const { known, why, send } = bench();
  const forecast = { ttftMs: 50, msPerToken: 1, slots: 100, msPerRequest: 0 };
  known.learn([{ ...A, places: 99, ttftSloMs: 100, forecast }, { ...B, ttftSloMs: 100, forecast }]);
  assertEquals([why("a", 50), why("a", 51)], [null, "slo"]);
  send("a", 20);
  assertEquals(known.refusalFor({ class: "a", tokens: 31 }), { reason: "slo", retryAfterMs: 1 });
  send("b", 10);
  // The lower class waits for both, the higher one not for the lower one.
  assertEquals([why("a", 30), why("b", 20), why("b", 21)], [null, null, "slo"]);
  // A prompt of its own too long for its deadline is the worker's to judge, other requests' prompts are not.
  assertEquals([why("a", 5, 71), why("a", 5, 69)], [null, "deadline"]);
  known.learn([{ ...A, places: 99, ttftSloMs: 100, forecast, asked: 1 }]);
  assertEquals([why("a", 50), why("a", 51)], [null, "slo"]);
});

Deno.test("KnownOutlook counts requests that have to wait until others have ended", () => {
  const { known, why, send } = bench();
  const forecast = { ttftMs: 10, msPerToken: 0, slots: 2, msPerRequest: 60 };
  known.learn([{ ...A, places: 99, ttftSloMs: 100, forecast }]);
  send("a");
  assertEquals(why("a"), null, "two can start");
  send("a");
  assertEquals(why("a"), null, "it waits for the end of one");
  send("a");
  assertEquals(why("a"), "slo");
});
