import { assertEquals } from "@std/assert";
import { partialJson } from "./partial_json.ts";

Deno.test("partialJson() knows what has come of a text, whatever it is cut to", () => {
  const value = {
    name: 'An "na"\n\u00e9\ud83d\ude00',
    "a:b": [1, -2.5e3, true, null, [], {}],
    inner: { list: [{ x: "y, {", z: [[0]] }], "": "" },
    last: 12,
  };
  for (
    const text of [JSON.stringify(value), JSON.stringify(value, null, 2), '{"\\u0041\\"": "\\u0042\\\\"}']
  ) {
    let before: unknown;
    for (let end = 0; end <= text.length; end++) {
      const known = partialJson(text.slice(0, end));
      // What is known never goes away.
      assertGrows(before, known);
      before = known;
    }
    assertEquals(before, JSON.parse(text));
  }
});

/** Whether a value is another one, or more of it. */
function assertGrows(before: unknown, after: unknown): void {
  if (before === undefined) return;
  if (typeof before === "string") return assertEquals((after as string).startsWith(before), true);
  if (typeof before !== "object" || before === null) return assertEquals(after, before);
  const entries = Object.entries(before);
  assertEquals(Object.keys(after as object).slice(0, entries.length), entries.map(([name]) => name));
  for (const [name, inner] of entries) assertGrows(inner, (after as Record<string, unknown>)[name]);
}

Deno.test("partialJson() takes strings as they come, numbers and words whole, and nothing of nothing", () => {
  assertEquals(partialJson(""), undefined);
  assertEquals(partialJson("  "), undefined);
  assertEquals(partialJson('"ab'), "ab");
  assertEquals(partialJson('"ab\\'), "ab");
  assertEquals(partialJson('"ab\\u00'), "ab");
  assertEquals(partialJson('{"a'), {});
  assertEquals(partialJson('{"a": '), {});
  assertEquals(partialJson('{"a": tr'), {});
  assertEquals(partialJson('{"a": 12'), {});
  assertEquals(partialJson('{"a": 12,'), { a: 12 });
  assertEquals(partialJson("[1, 2"), [1]);
  assertEquals(partialJson("12"), undefined);
  assertEquals(partialJson("[1, 2]"), [1, 2]);
});
