import { assertEquals, assertNotEquals } from "@std/assert";
import type { GgufFile } from "../gguf/reader.ts";
import { tensorTypeByName } from "../gguf/tensor_types.ts";
import { fingerprintOf } from "./model_info.ts";

/** A file of which no more is known than a fingerprint looks at. */
function fileOf(digest: string, ...types: string[]): GgufFile {
  const tensors = new Map(types.map((name, i) => [`${i}`, { type: tensorTypeByName(name)!.id }]));
  return { digest: () => digest, tensors } as unknown as GgufFile;
}

Deno.test("fingerprintOf() tells models apart that may answer differently, and only those", () => {
  const q4 = fileOf("a", "F32", "Q4_K");
  const print = fingerprintOf(q4, "f16", "amx");
  assertEquals(fingerprintOf(fileOf("a", "F32", "Q4_K"), "f16", "x86_64_v3"), print);
  assertNotEquals(fingerprintOf(fileOf("b", "F32", "Q4_K"), "f16", "amx"), print);
  assertNotEquals(fingerprintOf(q4, "q8_0", "amx"), print);
  const bf16 = fileOf("a", "F32", "BF16");
  assertNotEquals(fingerprintOf(bf16, "f16", "amx"), fingerprintOf(bf16, "f16", "x86_64_v3"));
  assertNotEquals(fingerprintOf(bf16, "f16", "amx"), fingerprintOf(bf16, "f16", "x86_64_v4_bf16"));
  assertEquals(fingerprintOf(bf16, "f16", "neon"), fingerprintOf(bf16, "f16", "x86_64_v3"));
});
