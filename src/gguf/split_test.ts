import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { GgufError } from "./error.ts";
import { MetadataReader } from "./metadata.ts";
import { checkWhole, checkWholeName, splitPart } from "./split.ts";
import type { MetadataValue } from "./value_types.ts";

function reader(values: Record<string, MetadataValue>): MetadataReader {
  return new MetadataReader(new Map(Object.entries(values)));
}

function refusal(path: string | undefined, no: number, count: number): string {
  const get = reader({ "split.no": no, "split.count": count });
  return assertThrows(() => checkWhole({ path, get }), GgufError).message;
}

Deno.test("splitPart() is null for whole models, joined ones among them", () => {
  for (
    const values of [{}, { "split.count": 0 }, { "split.count": 1 }, { "split.no": 0, "split.count": 0 }]
  ) {
    assertEquals(splitPart(reader(values as Record<string, MetadataValue>)), null);
    checkWhole({ get: reader(values as Record<string, MetadataValue>) });
  }
  assertEquals(splitPart(reader({ "split.no": 1, "split.count": 3 })), { index: 1, count: 3 });
  assertEquals(splitPart(reader({ "split.count": 2 })), { index: 0, count: 2 });
});

Deno.test("checkWhole() names the other parts and what joins them", () => {
  const message = refusal("/models/big-q4-00002-of-00003.gguf", 1, 3);
  assertStringIncludes(message, "part 2 of 3");
  assertStringIncludes(message, "big-q4-00001-of-00003.gguf and big-q4-00003-of-00003.gguf.");
  assertStringIncludes(message, "llama-gguf-split --merge big-q4-00001-of-00003.gguf big-q4.gguf");
  assertStringIncludes(refusal("C:\\a-00001-of-00002.gguf", 0, 2), "the other is a-00002-of-00002.gguf.");
  assertStringIncludes(
    refusal("a-00001-of-00030.gguf", 0, 30),
    "a-00002-of-00030.gguf to a-00030-of-00030.gguf",
  );
  assertStringIncludes(refusal("renamed.gguf", 0, 2), "NAME-00002-of-00002.gguf");
  assertStringIncludes(refusal(undefined, 1, 2), "NAME-00001-of-00002.gguf");
});

Deno.test("splitPart() refuses what cannot be, by key and value", () => {
  const bad: [Record<string, MetadataValue>, string][] = [
    [{ "split.no": 3, "split.count": 3 }, "split.no is 3 of a split.count of 3"],
    [{ "split.no": 1, "split.count": 1 }, "split.no is 1 of a split.count of 1"],
    [{ "split.no": 2 }, "split.no is 2 of a split.count of 0"],
    [{ "split.no": -1, "split.count": 3 }, "split.no: expected u32, current value is -1"],
    [{ "split.count": "three" }, 'split.count: expected u32, current value is "three"'],
    [{ "split.count": 1e6 }, "current value is 1000000"],
  ];
  for (const [values, message] of bad) {
    assertThrows(() => splitPart(reader(values)), GgufError, message);
  }
});

Deno.test("checkWholeName() knows parts by their names", () => {
  for (const name of ["a.gguf", "a-00001-of-00001.gguf", "a-00004-of-00003.gguf", "a-1-of-2.gguf", "demo"]) {
    checkWholeName(name);
  }
  assertThrows(
    () => checkWholeName("hf:owner/repo/a-00002-of-00002.gguf"),
    GgufError,
    "part 2 of 2 of a split model, which cannot be loaded in parts; the other is a-00001-of-00002.gguf.",
  );
});
