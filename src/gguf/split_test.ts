import { assertEquals, assertThrows } from "@std/assert";
import { GgufError } from "./error.ts";
import { MetadataReader } from "./metadata.ts";
import { otherParts, partPaths, splitPart } from "./split.ts";
import type { MetadataValue } from "./value_types.ts";

function reader(values: Record<string, MetadataValue>): MetadataReader {
  return new MetadataReader(new Map(Object.entries(values)));
}

Deno.test("splitPart() is null for whole models, joined ones among them", () => {
  for (
    const values of [{}, { "split.count": 0 }, { "split.count": 1 }, { "split.no": 0, "split.count": 0 }]
  ) {
    assertEquals(splitPart(reader(values as Record<string, MetadataValue>)), null);
  }
  assertEquals(splitPart(reader({ "split.no": 1, "split.count": 3 })), { index: 1, count: 3 });
  assertEquals(splitPart(reader({ "split.count": 2 })), { index: 0, count: 2 });
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

Deno.test("partPaths() names all parts by one of them", () => {
  for (const name of ["a.gguf", "a-00001-of-00001.gguf", "a-00004-of-00003.gguf", "a-1-of-2.gguf", "demo"]) {
    assertEquals(partPaths(name), [name]);
  }
  assertEquals(partPaths("hf:owner/repo/q4/a-00002-of-00003.gguf"), [
    "hf:owner/repo/q4/a-00001-of-00003.gguf",
    "hf:owner/repo/q4/a-00002-of-00003.gguf",
    "hf:owner/repo/q4/a-00003-of-00003.gguf",
  ]);
  assertEquals(partPaths("C:\\a-00002-of-00002.GGUF")[0], "C:\\a-00001-of-00002.GGUF");
});

Deno.test("otherParts() wants a name that says which part it is", () => {
  const part = { index: 1, count: 3 };
  assertEquals(otherParts("a-00002-of-00003.gguf", part).length, 3);
  for (const path of ["renamed.gguf", "a-00001-of-00003.gguf", "a-00002-of-00004.gguf"]) {
    const message =
      "part 2 of 3 of a split model, and the other parts are found by its name: it must end in -00002-of-00003.gguf";
    assertThrows(() => otherParts(path, part), GgufError, message);
  }
});
