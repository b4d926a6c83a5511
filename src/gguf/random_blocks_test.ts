import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { referenceCodecs } from "../../tests/support/gguf_codecs.ts";
import { randomRows, RandomWords } from "./random_blocks.ts";
import { formatNames, formatTypeId } from "./storage_format.ts";
import { tensorType, TensorTypeId } from "./tensor_types.ts";

const BLOCKS = 500;

Deno.test("randomRows() gives the mean and the spread asked for in every format", () => {
  for (const format of formatNames) {
    for (const sigma of [0.5, 0.02, 0.004]) {
      const typeId = formatTypeId(format);
      const { blockBytes, blockLength } = tensorType(typeId);
      const count = blockLength === 1 ? 64 * BLOCKS : BLOCKS;
      const bytes = new Uint8Array(count * blockBytes);
      randomRows(typeId, sigma).fill(bytes, new RandomWords(1, 2));
      const values = new Float32Array(count * blockLength);
      if (typeId === TensorTypeId.F32) values.set(new Float32Array(bytes.buffer));
      else referenceCodecs.dequantize(typeId, bytes, values);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const rms = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
      assert(Math.abs(rms / sigma - 1) < 0.04, `${format}: rms ${rms}, expected ${sigma}`);
      assert(Math.abs(mean) < 0.03 * sigma, `${format}: mean ${mean}`);
    }
  }
});

Deno.test("randomRows() gives F32 a mean, as norms need", () => {
  const values = new Float32Array(4096);
  randomRows(TensorTypeId.F32, 0.1, 1).fill(new Uint8Array(values.buffer), new RandomWords(3, 0));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  assert(Math.abs(mean - 1) < 0.01);
});

Deno.test("RandomWords repeats for a seed and a stream, and differs for others", () => {
  const words = (seed: number, stream: number) => {
    const out = new Uint32Array(8);
    new RandomWords(seed, stream).fill(out);
    return [...out];
  };
  assertEquals(words(1, 2), words(1, 2));
  assertNotEquals(words(1, 2), words(1, 3));
  assertNotEquals(words(1, 2), words(2, 2));
});

Deno.test("randomRows() never writes the one Q8_0 quant that encoders do not use", () => {
  const bytes = new Uint8Array(34 * 500);
  randomRows(TensorTypeId.Q8_0, 1).fill(bytes, new RandomWords(1, 1));
  assert(bytes.every((byte, i) => i % 34 < 2 || byte !== 0x80));
});
