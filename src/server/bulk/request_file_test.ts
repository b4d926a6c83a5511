import { assertEquals, assertRejects } from "@std/assert";
import { indexRequests, requestAt } from "./request_file.ts";

async function fileOf(text: string): Promise<string> {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, text);
  return path;
}

const line = (custom_id: string, more: object = {}) =>
  JSON.stringify({ custom_id, method: "POST", url: "/v1/completions", body: { prompt: "é" }, ...more });

Deno.test("indexRequests() finds each request, and requestAt() reads it again", async () => {
  const text = `${line("a")}\r\n\n  \n${line("b", { body: { prompt: "x".repeat(300_000), model: "m" } })}\n${
    line("c")
  }`;
  const path = await fileOf(text);
  const { entries, problems } = await indexRequests(path, { lineBytesMax: 1 << 20 });
  assertEquals(problems, []);
  assertEquals(entries.map(({ customId, line, model }) => [customId, line, model]), [
    ["a", 1, undefined],
    ["b", 4, "m"],
    ["c", 5, undefined],
  ]);
  for (const entry of entries) assertEquals((await requestAt(path, entry)).customId, entry.customId);
  await Deno.writeTextFile(path, text.replace('"a"', '"z"'));
  await assertRejects(() => requestAt(path, entries[0]), Error, "was changed");
  await Deno.remove(path);
});

Deno.test("indexRequests() tells of each line that is wrong, by its number", async () => {
  const deep = "[".repeat(100) + "]".repeat(100);
  const lines = [
    line("a"),
    "no JSON",
    "[1]",
    line("a"),
    line("b", { method: "GET" }),
    line("c", { url: "/v1/images" }),
    line("d", { body: [1] }),
    line("e", { body: null }),
    line("f", { more: 1 }),
    `{"custom_id":"g","body":${deep}}`,
    line("h", { body: { prompt: "x".repeat(2000) } }),
    line(""),
    line("i"),
  ];
  const path = await fileOf(lines.join("\n"));
  const { entries, problems } = await indexRequests(path, { lineBytesMax: 1000 });
  assertEquals(entries.map(({ customId }) => customId), ["a", "i"]);
  assertEquals(problems.map(({ line, customId, code, param }) => [line, customId, code, param]), [
    [2, null, "invalid_json", null],
    [3, null, "invalid_value", ""],
    [4, "a", "duplicate_custom_id", "custom_id"],
    [5, "b", "invalid_value", "method"],
    [6, "c", "invalid_value", "url"],
    [7, "d", "invalid_value", "body"],
    [8, "e", "invalid_value", "body"],
    [9, "f", "unknown_field", "more"],
    [10, null, "too_deep", null],
    [11, null, "line_too_long", null],
    [12, null, "invalid_value", "custom_id"],
  ]);
  await Deno.remove(path);
});

Deno.test("indexRequests() counts the tokens of answers as far as requests tell", async () => {
  const bodies = [{ max_tokens: 1000 }, { max_tokens: 1000, n: 4 }, {}];
  const path = await fileOf(
    bodies.map((body, i) => line(`${i}`, { body: { prompt: "a", ...body } })).join("\n"),
  );
  const { entries } = await indexRequests(path, { lineBytesMax: 1000 });
  const [one, four, unknown] = entries.map(({ tokens }) => tokens);
  assertEquals([one > 1000 && one < 1100, four > 4000 && four < 4100, unknown > 256 && unknown < 400], [
    true,
    true,
    true,
  ]);
  await Deno.remove(path);
});
