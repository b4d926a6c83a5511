import { assertEquals } from "@std/assert";
import type { Kernels } from "../ffi/context.ts";
import type { Hyperparameters } from "../models/hyperparameters.ts";
import { RopeTable } from "./rope_table.ts";

Deno.test("RopeTable has room for what comes and little more, up to the context", () => {
  const made: number[] = [], freed: number[] = [];
  const kernels = {
    createRope: ({ maxPositions }: { maxPositions: number }) => {
      made.push(maxPositions);
      return { maxPositions, [Symbol.dispose]: () => freed.push(maxPositions) };
    },
  } as unknown as Kernels;
  const h = { rope: { dimensions: 64, base: 10_000, scaling: { type: "none" } } } as Hyperparameters;
  const table = new RopeTable(kernels, h, 100_000);
  assertEquals(made, [4096]);
  for (const [end, positions] of [[1, 4096], [4096, 4096], [4097, 8192], [3, 8192], [40_000, 65_536]]) {
    assertEquals(table.reach(end).maxPositions, positions);
  }
  assertEquals(table.reach(65_537).maxPositions, 100_000);
  // What is beyond the context is refused by the kernels.
  assertEquals(table.reach(200_000).maxPositions, 100_000);
  assertEquals(made, [4096, 8192, 65_536, 100_000]);
  assertEquals(freed, [4096, 8192, 65_536]);
  assertEquals(new RopeTable(kernels, h, 512).reach(512).maxPositions, 512);
});
