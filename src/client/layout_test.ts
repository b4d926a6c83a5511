import { assertEquals } from "@std/assert";
import { layoutWorkers, type PlanWorkers } from "./layout.ts";

const machine = { nodes: [{ id: 0, cpus: [0, 1] }, { id: 1, cpus: [2, 3] }], usable: 4 };

Deno.test("layoutWorkers() hands on what the plan gives, and leaves a single worker to itself", () => {
  const asked: unknown[] = [];
  const plan: PlanWorkers = (wanted) => {
    asked.push(wanted);
    const each = wanted.nodes.map(({ id, cpus }) => ({ cpus, threads: 2, numaNode: id }));
    return each.slice(0, wanted.workers);
  };
  assertEquals(layoutWorkers({}, plan)(machine), [
    { cpus: [0, 1], threads: 2, numaNode: 0 },
    { cpus: [2, 3], threads: 2, numaNode: 1 },
  ]);
  const one = { cpus: [0, 1], threads: 2, numaNode: 0 };
  assertEquals(layoutWorkers({ workers: 1 }, plan)(machine), [one]);
  const whole: PlanWorkers = () => [{ cpus: [0, 1, 2, 3], threads: 4 }];
  assertEquals(layoutWorkers({ threads: 3 }, whole)(machine), [{ threads: 3 }]);
  assertEquals(layoutWorkers({ cpus: [0] }, whole)(machine), [{ cpus: [0, 1, 2, 3], threads: 4 }]);
  layoutWorkers({ threads: 3, cpus: [1] }, plan)(machine);
  assertEquals(asked.at(-1), { ...machine, workers: undefined, threads: 3, cpus: [1] });
});
