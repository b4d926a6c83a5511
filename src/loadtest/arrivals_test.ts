import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { parseClasses, poissonArrivals } from "./arrivals.ts";
import { parseTrace } from "./trace.ts";

const CLASSES = parseClasses("interactive:0.75:64/32,batch:0.25:512/128");

Deno.test("parseClasses() reads names, shares and lengths", () => {
  assertEquals(CLASSES, [
    { name: "interactive", share: 0.75, promptTokens: 64, maxTokens: 32 },
    { name: "batch", share: 0.25, promptTokens: 512, maxTokens: 128 },
  ]);
  assertEquals(parseClasses("a:1"), [{ name: "a", share: 1 }]);
  for (const bad of ["", "a", "a:x", "a:0:1/1", "a:1:64", "a:1:64/64/3", "a:1,,b:1"]) {
    assertThrows(() => parseClasses(bad), RangeError, "class");
  }
});

Deno.test("poissonArrivals() keeps the rate and the shares, and is the same for a seed", () => {
  const options = { perSecond: 50, seconds: 200, seed: 3 };
  const arrivals = poissonArrivals(CLASSES, options);
  assert(Math.abs(arrivals.length - 10_000) < 400, `${arrivals.length} arrivals`); // 4 standard deviations
  const gaps = arrivals.map(({ atMs }, i) => atMs - (arrivals[i - 1]?.atMs ?? 0));
  assert(gaps.every((gap) => gap > 0));
  // Of an exponential distribution, 1/e of the gaps is longer than the mean.
  assertAlmostEquals(gaps.filter((gap) => gap > 20).length / gaps.length, Math.exp(-1), 0.02);
  const batch = arrivals.filter((arrival) => arrival.class === "batch");
  assertAlmostEquals(batch.length / arrivals.length, 0.25, 0.02);
  assert(batch.every(({ promptTokens, maxTokens }) => promptTokens === 512 && maxTokens === 128));
  assertEquals(poissonArrivals(CLASSES, options), arrivals);
  assert(poissonArrivals(CLASSES, { ...options, seed: 7 })[0].atMs !== arrivals[0].atMs);
  assertThrows(() => poissonArrivals(parseClasses("a:1"), options), RangeError, "needs lengths");
});

const PLAY = { speed: 1, classes: parseClasses("x:1"), seed: 1 };

Deno.test("parseTrace() reads Azure's CSV", () => {
  const text = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 23:59:59.5000000,4808,10\r\n" +
    "2023-11-17 00:00:01.2345678,110,0\r\n";
  const [first, second] = parseTrace(text, { ...PLAY, promptMax: 1000 });
  assertEquals(first, { atMs: 0, class: "x", promptTokens: 1000, maxTokens: 10 });
  assertAlmostEquals(second.atMs, 1734.5678, 0.001);
  assertEquals([second.promptTokens, second.maxTokens], [110, 1]);
});

Deno.test("parseTrace() reads Mooncake's JSON lines with the blocks of their prompts", () => {
  const line = (timestamp: number) =>
    JSON.stringify({ timestamp, input_length: 700, output_length: 5, hash_ids: [0, timestamp] });
  const arrivals = parseTrace([line(3000), line(9000), line(6000)].join("\n"), {
    ...PLAY,
    speed: 3,
    seconds: 2,
  });
  assertEquals(arrivals.map(({ atMs, blocks }) => [atMs, blocks]), [[0, [0, 3000]], [1000, [0, 6000]]]);
});

Deno.test("parseTrace() reads its own CSV and names the line of what it cannot read", () => {
  const head = "at_ms,class,prompt_tokens,max_tokens\n";
  assertEquals(parseTrace(`${head}10,batch,5,6\n12.5,chat,7,8\n`, PLAY), [
    { atMs: 0, class: "batch", promptTokens: 5, maxTokens: 6 },
    { atMs: 2.5, class: "chat", promptTokens: 7, maxTokens: 8 },
  ]);
  for (const bad of ["1,a,2", "1,a,2,x", ",a,1,1", "1,a,1.5,1", "1,a,-1,1", "1,a,1,1,1"]) {
    assertThrows(() => parseTrace(`${head}0,a,1,1\n${bad}`, PLAY), RangeError, "Line 3");
  }
  assertThrows(
    () => parseTrace("TIMESTAMP,ContextTokens,GeneratedTokens\nsoon,1,1", PLAY),
    RangeError,
    "Line 2",
  );
  assertThrows(() => parseTrace('{"timestamp":1}', PLAY), RangeError, "Line 1");
  assertThrows(() => parseTrace("a,b\n1,2", PLAY), RangeError, "no format");
});

Deno.test("poissonArrivals() keeps the rate from the beginning on, with small seeds, too", () => {
  const counts = Array.from(
    { length: 200 },
    (_, seed) => poissonArrivals(CLASSES, { perSecond: 1, seconds: 10, seed }).length,
  );
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  // The standard error is 0.22.
  assert(Math.abs(mean - 10) < 1, `${mean} arrivals in 10 s`);
});
