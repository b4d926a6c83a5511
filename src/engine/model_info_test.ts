import { assertEquals, assertNotEquals } from "@std/assert";
import type { GgufFile } from "../gguf/reader.ts";
import { tensorTypeByName } from "../gguf/tensor_types.ts";
import { fingerprintOf } from "./model_info.ts";

/** A file of which no more is known than a fingerprint looks at. */
function fileOf(digest: string, ...types: string[]): GgufFile {
  const tensors = new Map(types.map((name, i) => [`${i}`, { type: tensorTypeByName(name)!.id }]));
  return { digest: () => Promise.resolve(digest), tensors } as unknown as GgufFile;
}

Deno.test("fingerprintOf() tells models apart that may answer differently, and only those", async () => {
  const q4 = fileOf("a", "F32", "Q4_K");
  const print = await fingerprintOf(q4, "f16", "amx");
  assertEquals(await fingerprintOf(fileOf("a", "F32", "Q4_K"), "f16", "x86_64_v3"), print);
  assertNotEquals(await fingerprintOf(fileOf("b", "F32", "Q4_K"), "f16", "amx"), print);
  assertNotEquals(await fingerprintOf(q4, "q8_0", "amx"), print);
  const bf16 = fileOf("a", "F32", "BF16");
  assertNotEquals(await fingerprintOf(bf16, "f16", "amx"), await fingerprintOf(bf16, "f16", "x86_64_v3"));
  assertNotEquals(
    await fingerprintOf(bf16, "f16", "amx"),
    await fingerprintOf(bf16, "f16", "x86_64_v4_bf16"),
  );
  assertEquals(await fingerprintOf(bf16, "f16", "neon"), await fingerprintOf(bf16, "f16", "x86_64_v3"));
});
