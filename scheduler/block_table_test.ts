import { assertEquals } from "@std/assert";
import { Random } from "./testing/random.ts";
import { BlockTable } from "./mod.ts";

/** Its blocks by place, −1 where there is none. */
function listed(table: BlockTable): number[] {
  return Array.from({ length: table.end }, (_, place) => table.blockAt(place) ?? -1);
}

Deno.test("BlockTable joins runs that continue each other and forgets what is taken from its start", () => {
  const table = new BlockTable();
  table.append([{ first: 4, length: 2 }]);
  table.append([{ first: 6, length: 1 }, { first: 9, length: 2 }]);
  assertEquals(table.runs, [{ at: 0, first: 4, length: 3 }, { at: 3, first: 9, length: 2 }]);
  assertEquals([table.blocks, table.start, table.end, table.last], [5, 0, 5, 10]);
  assertEquals(table.remove(0, 4), [{ at: 0, first: 4, length: 3 }, { at: 3, first: 9, length: 1 }]);
  assertEquals([table.blocks, table.start, table.end, table.last], [1, 4, 5, 10]);
  assertEquals(table.remove(0, 5).length, 1);
  assertEquals([table.blocks, table.start, table.end, table.last], [0, 5, 5, undefined]);
  table.append([{ first: 11, length: 1 }]);
  assertEquals(table.runs, [{ at: 5, first: 11, length: 1 }]);
});

Deno.test("BlockTable holds what a list of blocks holds, whatever is done to it", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = new Random(seed);
    let table = new BlockTable();
    let list: number[] = [];
    for (let i = 0; i < 30; i++) {
      const from = random.int(0, list.length), to = random.int(from, list.length);
      const first = random.int(0, 9) * 10, length = random.int(1, 4);
      switch (random.int(0, 4)) {
        case 0:
          table.append([{ first, length }]);
          for (let k = 0; k < length; k++) list.push(first + k);
          break;
        case 1: {
          const removed = table.remove(from, to);
          const expected = list.slice(from, to).filter((block) => block >= 0);
          assertEquals(
            removed.flatMap((run) => Array.from({ length: run.length }, (_, k) => run.first + k)),
            expected,
          );
          list.fill(-1, from, to);
          break;
        }
        case 2:
          table.put({ at: from, first, length });
          for (let k = 0; k < length; k++) list[from + k] = first + k;
          break;
        case 3: {
          const rest = table.split(from);
          assertEquals(listed(rest), list.slice(from));
          assertEquals(listed(table), list.slice(0, from));
          if (random.int(0, 1) === 0) {
            table = rest;
            list = list.slice(from);
          } else {
            list = list.slice(0, from);
          }
          break;
        }
        default:
          table.skip(length);
          list.push(...Array(length).fill(-1));
      }
      assertEquals(listed(table), list);
      assertEquals(table.blocks, list.filter((block) => block >= 0).length);
      for (const [k, run] of table.runs.entries()) {
        const before = table.runs[k - 1];
        if (before === undefined || before.at + before.length < run.at) continue;
        assertEquals(before.first + before.length === run.first, false, "two runs are one");
      }
    }
  }
});
