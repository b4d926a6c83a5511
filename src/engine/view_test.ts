import { assertEquals } from "@std/assert";
import { BlockTable, type Sequence } from "../../scheduler/mod.ts";
import { EngineWatch } from "./view.ts";

/** A sequence with blocks `first` to `first + length − 1`. */
function sequence(id: number, tenant: string, runs: [first: number, length: number][], isRunning = true) {
  const table = new BlockTable();
  table.append(runs.map(([first, length]) => ({ first, length })));
  return {
    id,
    class: id % 2,
    tenant,
    tables: [table],
    isRunning,
    promptTokens: 10 * id,
    arrivedAt: id,
  } as unknown as Sequence;
}

Deno.test("EngineWatch tells what each block is, tenants by number, and who waits", () => {
  const watch = new EngineWatch();
  const pool = { blocks: 10, references: (block: number) => [0, 2, 3, 4, 7].includes(block) ? 1 : 0 };
  const all = [
    sequence(1, "secret-a", [[2, 2]]),
    sequence(2, "secret-b", [[3, 2]]),
    sequence(3, "secret-a", [], false),
    sequence(4, "secret-c", [], false),
  ];
  const view = watch.view(all, ["urgent", "bulk"], pool, (id) => 100.4 * id);
  assertEquals(view.kv, [
    { state: "cached", blocks: 1 },
    { state: "free", blocks: 1 },
    { state: "used", blocks: 1, tenant: 0 },
    { state: "shared", blocks: 1, tenant: 1 },
    { state: "used", blocks: 1, tenant: 1 },
    { state: "free", blocks: 2 },
    { state: "cached", blocks: 1 },
    { state: "free", blocks: 2 },
  ]);
  assertEquals(view.waiting, [
    { class: "bulk", ageMs: 301, tokens: 30 },
    { class: "urgent", ageMs: 402, tokens: 40 },
  ]);
  assertEquals(view.step, null);
  assertEquals(JSON.stringify(view).includes("secret"), false);
});

Deno.test("EngineWatch tells the last step and nothing of its weights", () => {
  const watch = new EngineWatch();
  const part = { class: "bulk", isDecode: false, tokens: 64 };
  watch.noteStep(12, [{ ...part, weight: 3 } as never]);
  assertEquals(watch.view([], [], { blocks: 0, references: () => 0 }, () => 0).step, {
    ms: 12,
    parts: [part],
  });
});

Deno.test("EngineWatch shows states as the blocks whose memory they have, behind the others", () => {
  const pool = { blocks: 20, references: (block: number) => block === 12 ? 1 : 0 };
  const all = [{ ...sequence(1, "a", [[0, 2]]), slot: 0 }, { ...sequence(2, "b", [[2, 1]]), slot: 1 }];
  const figures = { slotBlocks: 3, used: 3, snapshots: 1, kept: 0, hits: 0, lostTokens: 0 };
  assertEquals(new EngineWatch().view(all as Sequence[], [], pool, () => 0, figures).kv, [
    { state: "used", blocks: 2, tenant: 0 },
    { state: "used", blocks: 1, tenant: 1 },
    { state: "free", blocks: 7 },
    { state: "cached", blocks: 1 },
    { state: "used", blocks: 3, tenant: 0 },
    { state: "used", blocks: 3, tenant: 1 },
    { state: "cached", blocks: 3 },
  ]);
});
