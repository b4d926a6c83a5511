import { assertEquals, assertThrows } from "@std/assert";
import { ModelError } from "../models/error.ts";
import type { Hyperparameters } from "../models/hyperparameters.ts";
import { kvSlotBytes, kvTokenBytes, type MemoryLeft, resolveSizes, type SizeOptions } from "./sizes.ts";

const MIB = 2 ** 20;

/** A token takes 32 KiB of f16, 32 of them a MiB. */
function model(contextLength: number): Hyperparameters {
  const layer = { kvHeads: 8, keyDim: 64, valueDim: 64 };
  return { layers: new Array(16).fill(layer), contextLength } as unknown as Hyperparameters;
}

/** The context and the tokens of the KV cache. */
function sizes(contextLength: number, options: SizeOptions = {}, memory?: MemoryLeft): number[] {
  const resolved = resolveSizes(model(contextLength), options, memory);
  return [resolved.contextLength, resolved.kvTokens];
}

/** Memory for so many tokens beside 1000 MiB of weights and their margin. */
function memoryFor(tokens: number, sharers = 1): MemoryLeft {
  return { weightBytes: 1000 * MIB, availableBytes: (1178 + tokens / 32) * MIB, sharers };
}

Deno.test("resolveSizes() gives the model's own context, and a KV cache for one such sequence at least", () => {
  assertEquals(sizes(512), [512, 16_384], "many short sequences");
  assertEquals(sizes(8192), [8192, 16_384]);
  assertEquals(sizes(40_960), [40_960, 40_960]);
  assertEquals(sizes(131_072), [131_072, 131_072]);
  assertEquals(sizes(20_001), [20_001, 20_016], "whole blocks");
  assertEquals(sizes(2 ** 24)[0], 2 ** 20, "the longest that rotary tables are made for");
});

Deno.test("resolveSizes() takes what is asked for, and a context that a KV cache of that size can hold", () => {
  assertEquals(sizes(131_072, { contextLength: 4096 }), [4096, 16_384]);
  assertEquals(sizes(131_072, { kvTokens: 4096 }), [4096, 4096]);
  assertEquals(sizes(512, { kvTokens: 4096 }), [512, 4096]);
  assertEquals(sizes(512, { contextLength: 100, kvTokens: 200 }), [100, 208]);
  assertThrows(() => sizes(512, { contextLength: 513 }), RangeError, "from 1 to 512, current value is 513");
  assertThrows(() => sizes(512, { contextLength: 100, kvTokens: 99 }), RangeError, "from 100");
  assertThrows(() => sizes(512, { contextLength: NaN }), RangeError, "contextLength");
  assertThrows(() => sizes(512, { kvTokens: NaN }), RangeError, "kvTokens");
});

Deno.test("resolveSizes() lowers a default context to what memory can hold, and only that", () => {
  assertEquals(sizes(131_072, {}, memoryFor(200_000)), [131_072, 131_072]);
  assertEquals(sizes(131_072, {}, memoryFor(20_000)), [20_000, 20_000]);
  assertEquals(sizes(8192, {}, memoryFor(10_000)), [8192, 10_000]);
  assertEquals(sizes(131_072, {}, memoryFor(512)), [512, 512]);
  assertEquals(sizes(100, {}, memoryFor(112)), [100, 112]);
  const refused = (options: SizeOptions, tokens: number, part: string) =>
    assertThrows(() => sizes(131_072, options, memoryFor(tokens)), ModelError, part);
  refused({}, 500, "for 512 tokens");
  refused({ contextLength: 20_480 }, 20_000, "for 20480 tokens");
  refused({ kvTokens: 20_480 }, 20_000, "for 20480 tokens");
});

Deno.test("resolveSizes() leaves those who share the memory as much", () => {
  assertEquals(sizes(131_072, {}, memoryFor(20_000, 4)), [4992, 4992]);
});

/** As `model`, with a window of 512 tokens in every second layer. */
function windowed(contextLength: number): Hyperparameters {
  const { layers, ...rest } = model(contextLength);
  return { ...rest, layers: layers.map((layer, i) => i % 2 === 0 ? layer : { ...layer, window: 512 }) };
}

Deno.test("resolveSizes() gives layers with a window no more than sequences of a step can use", () => {
  const h = windowed(131_072);
  assertEquals(
    [kvTokenBytes(h, "f16"), kvSlotBytes(h, "f16")],
    [32_768, 16_384],
    "two groups share the memory",
  );
  // 65 blocks: a window of 512 and a step of 512 tokens.
  const { kvTokens, kvSlots, kvGroups } = resolveSizes(h, {});
  assertEquals([kvTokens, kvSlots], [131_072, 131_072 + 32 * 65 * 16]);
  assertEquals(kvGroups.windows, [undefined, 512]);
  const few = resolveSizes(h, { kvTokens: 131_072, logitsRowsMax: 2, batchTokensMax: 16 });
  assertEquals(few.kvSlots, 131_072 + 2 * 34 * 16);
  assertEquals(resolveSizes(windowed(512), { kvTokens: 1024 }).kvSlots, 2048, "many short sequences");
  assertEquals(resolveSizes(model(8192), {}).kvSlots, 16_384);
  // Memory for 50,000 tokens in all layers holds more where half of the layers have a window.
  const { contextLength } = resolveSizes(h, {}, memoryFor(50_000));
  assertEquals(contextLength, 2 * 50_000 - 32 * 65 * 16);
});

Deno.test("resolveSizes() counts values that are parts of keys once, and refuses them in q8_0", () => {
  const layer = { kvHeads: 1, keyDim: 576, valueDim: 512, valuesInKeys: true };
  const h = { layers: Array(27).fill(layer), contextLength: 4096 } as unknown as Hyperparameters;
  assertEquals(kvTokenBytes(h, "f16"), 27 * 576 * 2);
  assertEquals(kvSlotBytes(h, "f16"), 27 * 576 * 2);
  assertEquals(resolveSizes(h, { kvFormat: "bf16" }).kvFormat, "bf16");
  assertThrows(
    () => resolveSizes(h, { kvFormat: "q8_0" }),
    RangeError,
    "this model's have 576 in latent vectors: choose f16, bf16 or f32",
  );
});

Deno.test("resolveSizes() counts states of sequences as the KV blocks whose memory they take", () => {
  const attention = { kvHeads: 8, keyDim: 64, valueDim: 64 };
  const linear = { channels: 64, taps: 4, heads: 2, keyHeads: 2, keyDim: 64, valueDim: 64 };
  const layers = Array.from({ length: 16 }, (_, i) => i % 4 === 3 ? attention : { ...attention, linear });
  const h = { layers, contextLength: 4096 } as unknown as Hyperparameters;
  // 12 layers with 768 + 32,768 bytes; a block of the other four has 128 KiB.
  const { stateBytes, stateBlocks, stateSlots, kvTokens, kvSlots } = resolveSizes(h, { logitsRowsMax: 8 });
  assertEquals([stateBytes, stateBlocks, kvTokens], [402_432, 4, 16_384]);
  assertEquals([kvSlots, stateSlots], [16_384 + 8 * 4 * 16, (1024 + 8 * 4) / 4]);
  const fit = (memory: MemoryLeft) =>
    resolveSizes(h, { logitsRowsMax: 8, contextLength: 512 }, memory).kvTokens;
  // Of 1,024 tokens' memory states of eight sequences take half.
  const memory = { weightBytes: 1000 * MIB, availableBytes: 1178 * MIB + 1024 * 8192, sharers: 1 };
  assertEquals(fit(memory), 512);
  assertThrows(() => fit({ ...memory, availableBytes: memory.availableBytes - 1 }), ModelError, "512 tokens");
});
