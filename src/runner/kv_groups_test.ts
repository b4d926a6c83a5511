import { assertEquals, assertThrows } from "@std/assert";
import { groupLayers } from "./kv_groups.ts";

/** Layers by their windows; 0: none. */
function groups(...windows: number[]) {
  return groupLayers(windows.map((window) => ({ window: window === 0 ? undefined : window })));
}

Deno.test("groupLayers() puts layers of one window together", () => {
  assertEquals(groups(0, 0, 0), { windows: [undefined], groupOf: [0, 0, 0] });
  assertEquals(groups(64, 64), { windows: [64], groupOf: [0, 0] });
  assertEquals(groups(64, 0, 64, 0), { windows: [undefined, 64], groupOf: [1, 0, 1, 0] });
});

Deno.test("groupLayers() makes groups of like size, those that see everything first", () => {
  assertEquals(groups(8, 8, 8, 8, 8, 0), {
    windows: [undefined, 8, 8, 8, 8, 8],
    groupOf: [1, 2, 3, 4, 5, 0],
  });
  assertEquals(groups(8, 8, 0, 8, 0, 8, 8), {
    windows: [undefined, 8, 8, 8],
    groupOf: [1, 1, 0, 2, 0, 2, 3],
  });
  const one = groups(0, ...Array(40).fill(16));
  assertEquals(one.windows.length, 9);
  assertEquals(one.groupOf.slice(0, 7), [0, 1, 1, 1, 1, 1, 2]);
});

Deno.test("groupLayers() refuses more windows than there can be groups", () => {
  assertThrows(() => groups(1, 2, 3, 4, 5, 6, 7, 8, 9), RangeError, "current value is 9");
});
