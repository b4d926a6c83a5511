/** What files say of layers that predict the token after the next, and which of them are computed. */

import { assertEquals, assertThrows } from "@std/assert";
import { encodeHeader } from "../gguf/encode.ts";
import { scalarEntry } from "../gguf/entries.ts";
import { MemorySource } from "../gguf/byte_source.ts";
import { parseHeader } from "../gguf/header.ts";
import { GgufFile } from "../gguf/reader.ts";
import { kvTokenBytes } from "../runner/sizes.ts";
import { checkModel } from "./check.ts";
import { ModelError } from "./error.ts";
import { shapeEntries, shapeTensors } from "./random_shapes.ts";
import { modelShape } from "./shapes.ts";

interface Changed {
  readonly type?: number;
  readonly dims?: readonly number[];
}

/** A file of a tiny model with a predictor, its tensors changed by name; null: left out. */
function fileOf(name: string, changes: Record<string, Changed | null> = {}): GgufFile {
  const known = modelShape(name), { family, layers, entries = [] } = known;
  const count = scalarEntry("u32", `${family}.nextn_predict_layers`, 1);
  const shape = { ...known, layers: layers + 1, entries: [...entries, count] };
  const tensors = shapeTensors(shape, "f16").flatMap(({ name, type, dims }) => {
    const change = Object.entries(changes).find(([end]) => name.endsWith(end))?.[1];
    return change === null ? [] : [{ name, type, dims: [...dims], ...change }];
  });
  const header = encodeHeader(shapeEntries(name, shape, "f16"), tensors);
  const source = new MemorySource(header.bytes, header.fileBytes);
  return new GgufFile({ path: "m.gguf", source, header: parseHeader(source) });
}

for (const family of ["glm4moe", "qwen35", "qwen35moe", "deepseek2"]) {
  Deno.test(`checkModel() takes the predictor of ${family} where one is wanted`, () => {
    const file = fileOf(`${family}-tiny`), count = modelShape(`${family}-tiny`).layers;
    const wanted = checkModel(file, undefined, true), left = checkModel(file);
    for (const model of [wanted, left]) assertEquals(model.hyperparameters.layers.length, count);
    assertEquals([wanted.hyperparameters.predictorFault, wanted.ignored], [undefined, []]);
    assertEquals([left.hyperparameters.predictor, left.ignored], [undefined, [`blk.${count}.`]]);
    assertEquals([wanted.decoder.predictor?.layer.length, left.decoder.predictor], [2, undefined]);
    const own = wanted.hyperparameters.predictor!;
    assertEquals([own.linear, own.kvHeads > 0, own.isGated === true], [
      undefined,
      true,
      family.startsWith("qwen"),
    ]);
    const bytes = [wanted, left].map(({ hyperparameters }) => kvTokenBytes(hyperparameters, "f16"));
    const keeping = wanted.hyperparameters.layers.filter(({ linear }) => linear === undefined).length;
    assertEquals(bytes[0] * keeping, bytes[1] * (keeping + 1));
  });
}

Deno.test("checkModel() leaves a predictor out that cannot be computed, and says why", () => {
  const faultOf = (changes: Record<string, Changed | null>) => {
    const { hyperparameters: h, decoder } = checkModel(fileOf("glm4moe-tiny", changes), undefined, true);
    assertEquals([h.predictor, decoder.predictor, h.layers.length], [undefined, undefined, 3]);
    return h.predictorFault;
  };
  assertEquals(faultOf({ "nextn.eh_proj.weight": null }), undefined, "the layer is no predictor");
  assertEquals(faultOf({ "nextn.hnorm.weight": null }), 'tensor "blk.3.nextn.hnorm.weight" is missing');
  assertEquals(
    faultOf({ "nextn.eh_proj.weight": { dims: [256, 256] } }),
    'tensor "blk.3.nextn.eh_proj.weight" must be [256, 512], it is [256, 256]',
  );
  assertEquals(faultOf({ "blk.3.attn_k.weight": null }), 'tensor "blk.3.attn_k.weight" is missing');
  assertThrows(
    () => checkModel(fileOf("glm4moe-tiny", { "blk.2.attn_k.weight": null }), undefined, true),
    ModelError,
    'tensor "blk.2.attn_k.weight" is missing',
  );
});

Deno.test("a predictor's own table, output and norm are optional", () => {
  const own = ["embed_tokens", "shared_head_head", "shared_head_norm"].map((name) =>
    `blk.3.nextn.${name}.weight`
  );
  const { tensors } = checkModel(fileOf("glm4moe-tiny"), undefined, true);
  const found = tensors.filter(({ name }) => own.includes(name));
  assertEquals(
    found.map(({ name, required }) => [name, required]).sort(),
    own.map((name) => [name, false]).sort(),
  );
});
