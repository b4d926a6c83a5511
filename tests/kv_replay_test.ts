/** The replay of request lengths through the allocator, on lengths whose figures are known. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { parseTrace } from "../bench/kv_replay.ts";
import { replay, type TraceRequest } from "../bench/kv_replay_model.ts";

Deno.test("replay() fills the cache and wastes half a block of each sequence", () => {
  // 16 answer tokens after whole blocks: 0 to 15 slots of the last block are empty, each for one step.
  const requests: TraceRequest[] = Array.from({ length: 400 }, () => ({ prompt: 161, generated: 16 }));
  const result = replay(requests, { blocks: 110, occupancy: 1 });
  assertEquals(result.sequences, 10);
  assertEquals(result.occupancy, 1);
  assertAlmostEquals(result.waste, 7.5 / 176, 1e-9);
  assertAlmostEquals(result.wasteOfCache, 7.5 / 176, 1e-9);
  assertEquals(result.preemptions, 0);
});

Deno.test("replay() keeps below the occupancy that is asked for, and gives growing sequences room", () => {
  const requests = Array.from({ length: 300 }, (_, i) => ({ prompt: 100 + i * 7 % 150, generated: 40 }));
  const result = replay(requests, { blocks: 1024, occupancy: 0.5 });
  assert(result.occupancy > 0.45 && result.occupancy < 0.6, `${result.occupancy}`);
  assert(result.runsPerSequence < 1.2, `${result.runsPerSequence} runs`);
  assertAlmostEquals(result.wasteOfCache / result.waste, result.occupancy, 1e-9);
});

Deno.test("replay() computes sequences again when growth finds no block", () => {
  const requests = Array.from({ length: 40 }, () => ({ prompt: 10, generated: 100 }));
  assert(replay(requests, { blocks: 16, occupancy: 1 }).preemptions > 0);
  assertThrows(
    () => replay([{ prompt: 300, generated: 1 }], { blocks: 16, occupancy: 1 }),
    RangeError,
    "does not fit",
  );
});

Deno.test("parseTrace() reads lengths and refuses lines without", () => {
  const text =
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.97,4808,10\n2023-11-16 18:17:04.03,3180,8\n";
  assertEquals(parseTrace(text), [{ prompt: 4808, generated: 10 }, { prompt: 3180, generated: 8 }]);
  assertThrows(() => parseTrace(`${text}x,1`), Error, "Line 4");
});
