import { assert, assertEquals } from "@std/assert";
import type { Kernels, Vector } from "../ffi/context.ts";
import type { VectorSpec } from "./tensors.ts";
import { type RopeSettings, RopeTable, RopeTables } from "./rope_table.ts";

const SETTINGS: RopeSettings = {
  pairing: "halves",
  dimensions: 64,
  base: 10_000,
  scaling: { type: "none" },
};

/** Kernels that make tables and keep a record of it. */
function fakeKernels() {
  const made: [base: number, positions: number][] = [], freed: [number, number][] = [];
  const kernels = {
    createRope: ({ base, maxPositions }: { base: number; maxPositions: number }) => {
      made.push([base, maxPositions]);
      return { maxPositions, [Symbol.dispose]: () => freed.push([base, maxPositions]) };
    },
  } as unknown as Kernels;
  return { kernels, made, freed };
}

Deno.test("RopeTable has room for what comes and little more, up to the context", () => {
  const { kernels, made, freed } = fakeKernels();
  const table = new RopeTable(kernels, SETTINGS, 100_000);
  assertEquals(made, [[10_000, 4096]]);
  // What is beyond the context is refused by the kernels.
  for (
    const [end, positions] of [[1, 4096], [4096, 4096], [4097, 8192], [3, 8192], [40_000, 65_536], [
      65_537,
      100_000,
    ], [200_000, 100_000]]
  ) {
    table.reach(end);
    assertEquals(table.current.maxPositions, positions);
  }
  assertEquals(made.map(([, positions]) => positions), [4096, 8192, 65_536, 100_000]);
  assertEquals(freed.map(([, positions]) => positions), [4096, 8192, 65_536]);
  assertEquals(new RopeTable(kernels, SETTINGS, 512).current.maxPositions, 512);
});

Deno.test("RopeTables makes one table for layers that turn alike, and all of them reach as far", () => {
  const { kernels, made } = fakeKernels();
  const tables = new RopeTables(kernels, 100_000);
  const global = tables.table(SETTINGS), local = tables.table({ ...SETTINGS, base: 1e6 });
  assertEquals(tables.table({ ...SETTINGS }), global);
  assert(tables.table({ ...SETTINGS, pairing: "interleaved" }) === global, "the pairing is the op's");
  const stretched = tables.table({ ...SETTINGS, scaling: { type: "linear", factor: 8 } });
  const divided = tables.table(SETTINGS, { id: 7 } as Vector);
  assertEquals(new Set([global, local, stretched, divided]).size, 4);
  tables.reach(5000);
  assertEquals(made.slice(4), [[10_000, 8192], [1e6, 8192], [10_000, 8192], [10_000, 8192]]);
});

Deno.test("RopeTables has no table where nothing is turned, and of two sets of factors the context's", () => {
  const { kernels, made } = fakeKernels();
  assertEquals(new RopeTables(kernels, 4096).table({ ...SETTINGS, dimensions: 0 }), undefined);
  assertEquals(made, []);
  const [long, short] = ["long", "short"].map((name) => ({ name }) as VectorSpec);
  const chosen = (context: number) =>
    new RopeTables(kernels, context).choose({ long, short, originalContext: 4096 })?.name;
  assertEquals([chosen(512), chosen(4096), chosen(4097)], ["short", "short", "long"]);
  assertEquals(new RopeTables(kernels, 1).choose(long), long);
  assertEquals(new RopeTables(kernels, 1).choose(undefined), undefined);
});
