import { assertEquals, assertThrows } from "@std/assert";
import { parseCpuList } from "../ffi/cpu_list.ts";
import { type PlanOptions, planWorkers } from "./plan_workers.ts";

function node(id: number, cpus: string, memoryBytes?: number) {
  return { id, cpus: cpus === "" ? [] : parseCpuList(cpus), memoryBytes };
}

const one = [node(0, "0-7", 1e9)];
const two = [node(0, "0-3,8-11", 1e9), node(1, "4-7,12-15", 1e9)];

Deno.test("planWorkers() gives one node one worker with all CPUs, and several nodes a worker each", () => {
  assertEquals(planWorkers({ nodes: one }), [{ cpus: parseCpuList("0-7"), threads: 8 }]);
  assertEquals(planWorkers({ nodes: two }), [
    { cpus: parseCpuList("0-3,8-11"), threads: 8, numaNode: 0 },
    { cpus: parseCpuList("4-7,12-15"), threads: 8, numaNode: 1 },
  ]);
});

Deno.test("planWorkers() splits a node's CPUs evenly and in runs", () => {
  assertEquals(planWorkers({ nodes: one, workers: 2 }), [
    { cpus: [0, 1, 2, 3], threads: 4 },
    { cpus: [4, 5, 6, 7], threads: 4 },
  ]);
  const three = planWorkers({ nodes: one, workers: 3 });
  assertEquals(three.map(({ cpus }) => cpus), [[0, 1, 2], [3, 4, 5], [6, 7]]);
  const uneven = [node(0, "0-1", 1), node(1, "2-7", 1)];
  assertEquals(planWorkers({ nodes: uneven, workers: 4 }), [
    { cpus: [0, 1], threads: 2, numaNode: 0 },
    { cpus: [2, 3], threads: 2, numaNode: 1 },
    { cpus: [4, 5], threads: 2, numaNode: 1 },
    { cpus: [6, 7], threads: 2, numaNode: 1 },
  ]);
});

Deno.test("planWorkers() lets a worker span nodes only where there are fewer workers than nodes", () => {
  const three = [node(0, "0-1", 1), node(1, "2-3", 1), node(2, "4-5", 1)];
  assertEquals(planWorkers({ nodes: three, workers: 2 }), [
    { cpus: [0, 1, 2, 3], threads: 4 },
    { cpus: [4, 5], threads: 2, numaNode: 2 },
  ]);
});

Deno.test("planWorkers() passes over nodes without CPUs and does not ask for memory that a node lacks", () => {
  const nodes = [node(0, "", 1e9), node(1, "0-1", 0), node(2, "2-3", 1e9), node(3, "4-5")];
  assertEquals(planWorkers({ nodes }), [
    { cpus: [0, 1], threads: 2 },
    { cpus: [2, 3], threads: 2, numaNode: 2 },
    { cpus: [4, 5], threads: 2, numaNode: 3 },
  ]);
  assertEquals(planWorkers({ nodes: [node(0, "0", 1e9), node(1, "", 0)] }), [{ cpus: [0], threads: 1 }]);
});

Deno.test("planWorkers() shares a quota out, and uses the largest nodes where it is below their number", () => {
  const threads = (options: PlanOptions) => planWorkers(options).map((plan) => plan.threads);
  assertEquals(threads({ nodes: two, usable: 5 }), [3, 2]);
  assertEquals(threads({ nodes: two, usable: 99 }), [8, 8]);
  assertEquals(threads({ nodes: one, workers: 4, usable: 2 }), [1, 1, 1, 1]);
  assertEquals(threads({ nodes: two, usable: 5, threads: 6 }), [6, 6]);
  const uneven = [node(0, "0", 1), node(1, "1-3", 1), node(2, "4-7", 1)];
  assertEquals(threads({ nodes: uneven, usable: 7 }), [1, 3, 3]);
  assertEquals(planWorkers({ nodes: uneven, usable: 2 }).map(({ numaNode }) => numaNode), [1, 2]);
});

Deno.test("planWorkers() uses only the CPUs that are named", () => {
  assertEquals(planWorkers({ nodes: two, cpus: [9, 4, 5] }), [
    { cpus: [9], threads: 1, numaNode: 0 },
    { cpus: [4, 5], threads: 2, numaNode: 1 },
  ]);
  assertEquals(planWorkers({ nodes: two, cpus: [12, 4] }), [{ cpus: [4, 12], threads: 2, numaNode: 1 }]);
});

Deno.test("planWorkers() refuses what cannot be", () => {
  const bad: [PlanOptions, string][] = [
    [{ nodes: one, workers: 9 }, "There are 8 CPUs for 9 workers"],
    [{ nodes: one, workers: 2, cpus: [3] }, "There are 1 CPUs for 2 workers"],
    [{ nodes: one, cpus: [7, 8, 9] }, "CPUs 8-9 do not exist or may not be used: there are 0-7"],
    [{ nodes: one, cpus: [] }, "no CPU"],
    [{ nodes: [] }, "no CPU"],
    [{ nodes: one, workers: 0 }, "current value is 0"],
    [{ nodes: one, workers: 1.5 }, "current value is 1.5"],
    [{ nodes: one, threads: 0 }, 'Option "threads"'],
    [{ nodes: one, usable: 0 }, 'Option "usable"'],
  ];
  for (const [options, message] of bad) assertThrows(() => planWorkers(options), RangeError, message);
});
