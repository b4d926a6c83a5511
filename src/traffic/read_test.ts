import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { readTraffic } from "./read.ts";
import { writeTraffic } from "./write.ts";

Deno.test("readTraffic() reads Azure's CSV of 2023 and of 2024", () => {
  const of2023 = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 23:59:59.5000000,4808,10\r\n" +
    "2023-11-17 00:00:01.2345678,110,0\r\n";
  const { format, requests, startedAtMs, skipped } = readTraffic(of2023);
  assertEquals([format, requests.length, skipped], ["azure", 2, []]);
  assertEquals(startedAtMs, Date.parse("2023-11-16T23:59:59.500Z"));
  assertEquals(requests[0], { atMs: 0, promptTokens: 4808, answerTokens: 10 });
  assertAlmostEquals(requests[1].atMs, 1734.5678, 0.001);
  const of2024 = "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n" +
    "2024-05-10 02:00:00.009930+02:00,2399,6\n";
  assertEquals(readTraffic(of2024).requests.map(({ atMs }) => atMs), [0, 0]);
});

Deno.test("readTraffic() reads Mooncake's JSON lines, out of order, too", () => {
  const line = (timestamp: number, hash_ids: number[]) =>
    JSON.stringify({ timestamp, input_length: 700, output_length: 5, hash_ids });
  const traffic = readTraffic([line(3000, [7, 8]), line(9000, [7, 9]), line(6000, [4])].join("\n"));
  assertEquals([traffic.format, traffic.blockTokens, traffic.startedAtMs], ["mooncake", 512, undefined]);
  assertEquals(traffic.requests.map(({ atMs, blocks }) => [atMs, blocks]), [[3000, [0, 1]], [6000, [3]], [
    9000,
    [0, 2],
  ]]);
});

Deno.test("readTraffic() reads logs of nginx, LiteLLM and kumi, and from each when its request came", () => {
  const log = [
    // nginx writes a line when the request has ended.
    '{"time_iso8601":"2026-03-01T12:00:10+00:00","request_time":"4.000","status":"200","prompt_tokens":"300","completion_tokens":"20"}',
    '{"startTime":"2026-03-01 12:00:05.500","endTime":"2026-03-01 12:00:09","response":{"usage":{"prompt_tokens":7,"completion_tokens":8,"prompt_tokens_details":{"cached_tokens":4}}}}',
    '{"time":"2026-03-01T12:00:20.000Z","status":200,"class":"batch","prompt_tokens":9,"cached_tokens":2,"completion_tokens":3,"e2e_ms":9000}',
    '{"time":"2026-03-01T12:00:21Z","status":429,"reason":"queue_full","e2e_ms":1}',
    '{"time":"2026-03-01T12:00:22Z","status":400,"e2e_ms":1}',
    '{"time":"2026-03-01T12:00:22Z","status":200,"route":"/metrics"}',
    '{"time":"2026-03-01T12:00:',
    '{"time":"yesterday","prompt_tokens":1,"completion_tokens":1}',
    '{"ts":1772366423,"usage":{"input_tokens":1,"output_tokens":2}}',
  ].join("\n");
  const { format, requests, refused, skipped } = readTraffic(log);
  assertEquals([format, refused], ["log", 1]);
  assertEquals(requests, [
    { atMs: 0, promptTokens: 7, answerTokens: 8, cachedTokens: 4 },
    { atMs: 500, promptTokens: 300, answerTokens: 20 },
    { atMs: 5500, class: "batch", promptTokens: 9, answerTokens: 3, cachedTokens: 2 },
    { atMs: 17_500, promptTokens: 1, answerTokens: 2 },
  ]);
  assertEquals(skipped, [
    { line: 5, reason: "status 400" },
    { line: 6, reason: "no usage" },
    { line: 7, reason: "no JSON object" },
    { line: 8, reason: "no time" },
  ]);
});

Deno.test("readTraffic() reads CSV by the names of its columns", () => {
  const read = (text: string) => readTraffic(text).requests;
  assertEquals(read("at_ms,class,prompt_tokens,max_tokens\n12.5,chat,7,8\n10,batch,5,6\n"), [
    { atMs: 10, class: "batch", promptTokens: 5, answerTokens: 6 },
    { atMs: 12.5, class: "chat", promptTokens: 7, answerTokens: 8 },
  ]);
  assertEquals(
    read(
      '"Input Tokens","note","Output Tokens","Time"\n5,"a, ""b""",6,2026-01-01 00:00:01\n7,,8,1767225603\n',
    ),
    [
      { atMs: 0, promptTokens: 5, answerTokens: 6 },
      { atMs: 2000, promptTokens: 7, answerTokens: 8 },
    ],
  );
  assertEquals(read("seconds,in,out\n1.5,2,3\n"), [{ atMs: 1500, promptTokens: 2, answerTokens: 3 }]);
});

Deno.test("readTraffic() leaves out what holds no request, says why, and gives up where nothing does", () => {
  const head = "at_ms,class,prompt_tokens,max_tokens\n";
  for (const bad of ["1,a,2", "1,a,2,x", ",a,1,1", "1,a,1.5,1", "1,a,-1,1", "1,a b,1,1", "1,a,1,1e300"]) {
    const { requests, skipped } = readTraffic(`${head}0,a,1,1\n\n${bad}\n`);
    assertEquals([requests.length, skipped.map(({ line }) => line)], [1, [4]], bad);
    assertThrows(() => readTraffic(`${head}${bad}`), RangeError, "line 2:");
  }
  assertThrows(() => readTraffic("\n\n"), RangeError, "empty");
  assertThrows(() => readTraffic("a,b\n1,2"), RangeError, "no format");
  assertThrows(() => readTraffic("a,b\n1,2", { format: "csv" }), RangeError, "must name a time");
});

const HEAD = JSON.stringify({
  kumi_traffic: 1,
  recording: "r1",
  started: "2026-01-01T00:00:00.000Z",
  block_tokens: 16,
});

Deno.test("readTraffic() reads recordings, their parts, and what a crash has cut off", () => {
  const again = HEAD.replace("r1", "r2").replace("00:00:00.000Z", "00:01:00.000Z");
  const text = [
    HEAD,
    '{"at_ms":50,"class":"interactive","prompt_tokens":40,"answer_tokens":3,"cached_tokens":16,"blocks":["a","b"]}',
    '{"at_ms":10,"class":"batch","prompt_tokens":33,"answer_tokens":0,"cached_tokens":0,"blocks":["a","c"]}',
    '{"at_ms":60,"class":"batch","refused":"queue_full"}',
    '{"lost":7}',
    '{"at_ms":70,"class":"batch","prom',
    again,
    '{"at_ms":5,"prompt_tokens":16,"answer_tokens":1,"blocks":["a"]}',
  ].join("\n");
  const { requests, refused, skipped, startedAtMs, blockTokens } = readTraffic(text);
  assertEquals([startedAtMs, blockTokens, refused], [Date.parse("2026-01-01T00:00:00Z"), 16, 1]);
  assertEquals(requests.map(({ atMs, blocks }) => [atMs, blocks]), [
    [10, [0, 2]],
    [50, [0, 1]],
    // Another key: the same hash means nothing.
    [60_005, [3]],
  ]);
  assertEquals(skipped.map(({ line }) => line), [5, 6]);
  assertThrows(() => readTraffic(HEAD.replace(":1,", ":2,")), RangeError, "version 2");
});

Deno.test("writeTraffic() writes what readTraffic() reads again", () => {
  const traffic = readTraffic([
    HEAD,
    '{"at_ms":10.125,"class":"batch","prompt_tokens":33,"answer_tokens":2,"cached_tokens":16,"blocks":["a","c"]}',
    '{"at_ms":50,"prompt_tokens":40,"answer_tokens":3,"blocks":["a","b"]}',
  ].join("\n"));
  assertEquals(readTraffic([...writeTraffic(traffic)].join("")), traffic);
  const csv = readTraffic("at_ms,prompt_tokens,max_tokens\n1,2,3\n");
  assertEquals(readTraffic([...writeTraffic(csv)].join("")), { ...csv, format: "kumi" });
});
