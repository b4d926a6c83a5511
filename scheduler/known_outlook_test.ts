import { assertEquals } from "@std/assert";
import { type CountedOutlook, KnownOutlook } from "./known_outlook.ts";
import { DEFAULT_CLASSES } from "./latency_class.ts";
import type { PlaybackState, PlayedSequence } from "./playback.ts";

const A: CountedOutlook = { name: "a", priority: 1, places: 2, placesTokens: 100, asked: 0 };
const B: CountedOutlook = { ...A, name: "b", priority: 0, places: 9 };

function bench() {
  const known = new KnownOutlook();
  return {
    known,
    why: (name: string, tokens = 1, more: { deadlineMs?: number; priority?: number } = {}, now = 0) =>
      known.refusalFor({ class: name, tokens, maxTokens: 1, ...more }, now)?.reason ?? null,
    send: (name: string, tokens = 1, maxTokens = 1) => known.send({ class: name, tokens, maxTokens }),
  };
}

/**
 * A machine that takes 1 ms a token, and 10 ms a step, of which nothing is under way but what the test says.
 */
function forecast(
  running: Omit<PlayedSequence, "held">[],
  { maxBatch = 8, stepMs = 0 }: { maxBatch?: number; stepMs?: number } = {},
): PlaybackState {
  const played = (name: string, priority: number) => ({
    config: { ...DEFAULT_CLASSES[1], name, priority, maxBatch, maxWaitMs: 0 },
    running: name === "a" ? running.map((each) => ({ ...each, held: each.context })) : [],
    ...{ waiting: [], more: 0, opensAtMs: 0, outputs: [1000] },
  });
  return {
    ...{
      atMs: 0,
      classes: [played("a", 1), played("b", 0)],
      roomTokens: 1e6,
      blockTokens: 1,
      stateTokens: 0,
    },
    ...{
      coefficients: [stepMs, 1, 0],
      overrun: 1,
      stretch: 1,
      between: [0, 0],
      pace: 1,
      tokensMax: 10,
      itemsMax: 64,
    },
  };
}

Deno.test("KnownOutlook refuses what a worker would refuse, and what is more than it has room for", () => {
  const { known, why, send } = bench();
  send("a");
  assertEquals(why("a"), null, "nothing is known yet");
  const refusal = { reason: "queue-full", retryAfterMs: 70 } as const;
  known.learn([{ ...A, asked: 1 }, { ...B, refusal }], 0);
  assertEquals(known.refusalFor({ class: "b", tokens: 1 }, 0), refusal);
  send("a", 99);
  assertEquals([why("a"), why("a", 1000)], [null, null]);
  send("a");
  assertEquals(why("a"), "queue-full");
  known.learn([{ ...A, places: 9, asked: 1 }], 0);
  assertEquals(why("a"), "queue-full", "100 tokens are under way");
  // The worker has heard of one of them.
  known.learn([{ ...A, asked: 2 }], 0);
  assertEquals([why("a"), why("b"), why("c")], [null, null, null]);
});

Deno.test("KnownOutlook refuses what would be late behind its own prompt and those under way", () => {
  const { known, why, send } = bench();
  const learn = (asked: number) => {
    // A prompt of 50 tokens goes before: 90 ms is 0.9 of what is promised.
    const state = () => forecast([{ context: 50, missing: 50, left: 1 }]);
    const outlook = { places: 99, placesTokens: 1000, ttftSloMs: 100 };
    known.learn([{ ...A, ...outlook, forecast: state(), asked }, { ...B, ...outlook, forecast: state() }], 0);
  };
  learn(0);
  assertEquals([why("a", 40), why("a", 41)], [null, "slo"]);
  assertEquals(why("a", 41, { priority: 1 }), null, "who goes before others is judged where they are known");
  assertEquals(why("a", 41, {}, 5), null, "five of the ms have passed");
  send("a", 20);
  assertEquals(known.refusalFor({ class: "a", tokens: 21 }, 0), { reason: "slo", retryAfterMs: 1 });
  send("b", 10);
  // The lower class waits for both, the higher one not for the lower one.
  assertEquals([why("a", 20), why("b", 10), why("b", 11)], [null, null, "slo"]);
  // A prompt of its own too long for its deadline is the worker's to judge, other requests' prompts are not.
  assertEquals([why("a", 5, { deadlineMs: 72 }), why("a", 5, { deadlineMs: 69 })], [null, "deadline"]);
  learn(1);
  assertEquals([why("a", 40), why("a", 41)], [null, "slo"]);
});

Deno.test("KnownOutlook counts requests that have to wait until others have ended", () => {
  const { known, why, send } = bench();
  const outlook = { places: 99, placesTokens: 1000, ttftSloMs: 100 };
  // One of two places is taken for 6 steps of 10 ms and a token or two.
  const state = forecast([{ context: 1, missing: 0, left: 6 }], { maxBatch: 2, stepMs: 10 });
  known.learn([{ ...A, ...outlook, forecast: state }], 0);
  assertEquals(why("a"), null, "there is a place");
  send("a", 1, 100);
  assertEquals(why("a"), null, "it waits for the end of the first one: 72 ms, and 12 of its own");
  send("a", 1, 100);
  assertEquals(why("a"), "slo", "and this one for the end of those");
});

Deno.test("KnownOutlook counts what a prompt attends to of a prefix that need not be computed", () => {
  const { known } = bench();
  const state = {
    ...forecast([{ context: 10, missing: 10, left: 1 }]),
    coefficients: [0, 1, 0.1] as const,
    tokensMax: 1000,
  };
  known.learn([{ ...A, places: 99, placesTokens: 1000, ttftSloMs: 100, forecast: state }], 0);
  // 10 and 10 tokens, 55 entries for each, and with the prefix 1000 more.
  const request = { class: "a", tokens: 10, maxTokens: 1 };
  assertEquals(known.refusalFor(request, 0), null);
  assertEquals(known.refusalFor({ ...request, contextTokens: 110 }, 0)?.reason, "slo");
});

Deno.test("KnownOutlook leaves a machine without work alone", () => {
  const { known, why, send } = bench();
  known.learn([{ ...A, places: 99, placesTokens: 1000, ttftSloMs: 10, forecast: forecast([]) }], 0);
  assertEquals(why("a", 90), null);
  send("a", 90);
  assertEquals(why("a", 1), "slo");
});

Deno.test("KnownOutlook expects a first token behind what is under way, and of a machine without work its own time", () => {
  const { known, send } = bench();
  const expected = (name: string, tokens: number, now = 0) =>
    known.expectedTtftMs({ class: name, tokens, maxTokens: 1 }, now);
  assertEquals(expected("a", 10), undefined);
  const outlook = { places: 99, placesTokens: 1000, ttftSloMs: 100 };
  known.learn([{ ...A, ...outlook, forecast: forecast([]) }, { ...B, places: 9, placesTokens: 9 }], 0);
  assertEquals([expected("a", 10), expected("a", 10, 5000), expected("b", 10)], [10, 10, undefined]);
  send("a", 30);
  assertEquals([expected("a", 10), expected("none", 10)], [40, undefined]);
  known.learn(
    [{ ...A, ...outlook, forecast: forecast([{ context: 50, missing: 50, left: 1 }]), asked: 1 }],
    0,
  );
  assertEquals([expected("a", 10), expected("a", 10, 20)], [60, 40]);
});
