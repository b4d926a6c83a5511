import { assert, assertEquals, assertThrows } from "@std/assert";
import { GgufError } from "../src/gguf/error.ts";
import { MetadataReader } from "../src/gguf/metadata.ts";
import { mixFormats, mixModelOf, mixNames, parseTarget, targetNames } from "../src/gguf/mixes.ts";
import { fileTypeOf, formatNames } from "../src/gguf/storage_format.ts";
import { mixCases, typeLines } from "./support/mix_cases.ts";
import goldens from "./mix_goldens.json" with { type: "json" };

const GOLDENS: Readonly<Record<string, Readonly<Record<string, Record<string, string>>>>> = goldens;

for (const { name, entries, tensors } of mixCases) {
  Deno.test(`mixFormats() gives the tensors of ${name} the types that llama.cpp's quantizer gives them`, () => {
    const get = new MetadataReader(new Map(entries.map(({ key, value }) => [key, value])));
    const types = (mix: string, hasImportance: boolean) => {
      const model = mixModelOf(get, tensors.map((tensor) => tensor.name), hasImportance);
      const formats = mixFormats(parseTarget(mix).mix!, model, tensors);
      const matrices = tensors.filter(({ dims }) => dims.length > 1);
      return typeLines(
        new Map(matrices.map((tensor) => [tensor.name, (formats.get(tensor.name) ?? "f32").toUpperCase()])),
      );
    };
    for (const mix of mixNames) {
      const plain = GOLDENS[name][mix];
      assertEquals(types(mix, false), plain, mix);
      assertEquals(
        types(mix, true),
        GOLDENS[name][`${mix} with importances`] ?? plain,
        `${mix} with importances`,
      );
    }
  });
}

Deno.test("parseTarget() knows llama.cpp's mixes, and formats that are none as formats throughout", () => {
  assertEquals(parseTarget("Q4_K_M").fileType, 15);
  assert(parseTarget("q4_k_m").mix !== undefined);
  for (const name of ["q4_k", "q5_k", "q3_k", "mxfp4", "f32"] as const) {
    assertEquals(parseTarget(name), { name, format: name, fileType: fileTypeOf(name) });
  }
  assert(formatNames.every((name) => targetNames.includes(name)));
  assertThrows(() => parseTarget("q9"), GgufError, "current value is q9");
});

Deno.test("parseTarget() of a pure mix is the mix's own format throughout", () => {
  assertEquals(parseTarget("q2_k", true), { name: "q2_k", format: "q2_k", fileType: fileTypeOf("q2_k") });
  assertEquals(parseTarget("q4_k_m", true), { name: "q4_k", format: "q4_k", fileType: fileTypeOf("q4_k") });
});

Deno.test("mixModelOf() tolerates metadata that is not there", () => {
  const model = mixModelOf(new MetadataReader(new Map()), ["output.weight"], false);
  assertEquals(model.isTied, false);
  assertEquals(
    mixFormats(parseTarget("q4_k_m").mix!, model, [{ name: "a.weight", dims: [256, 2] }]).get("a.weight"),
    "q4_k",
  );
});
