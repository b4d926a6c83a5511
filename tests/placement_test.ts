/** Kernels on chosen CPUs and memory nodes, on whatever machine this is. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { KernelError, Kernels, type KernelsOptions } from "../src/ffi/context.ts";
import { machineInfo } from "../src/ffi/machine.ts";
import { planWorkers } from "../src/client/plan_workers.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";
import { tablesOf } from "../scheduler/testing/tables.ts";

const machine = machineInfo();

function open(options: Partial<KernelsOptions>): Kernels {
  return Kernels.open({ workspaceBytes: 64, ...options });
}

Deno.test("machineInfo() tells the CPUs by memory node", () => {
  const { cpus, nodes, usableCpus } = machine;
  assert(nodes.length >= 1 && cpus.length >= 1);
  assertEquals(new Set(cpus).size, cpus.length);
  assertEquals(nodes.flatMap((node) => node.cpus).sort((a, b) => a - b), cpus);
  assert(usableCpus >= 1 && usableCpus <= cpus.length);
});

Deno.test("Kernels.open() has as many threads as CPUs were named, unless told otherwise", () => {
  const cpus = machine.cpus.slice(-1);
  using one = open({ cpus });
  assertEquals([one.threads, one.numaBound], [1, undefined]);
  // This thread is restricted now, and yet others may be named.
  assertEquals(machineInfo().cpus, machine.cpus);
  using all = open({ cpus: machine.cpus });
  assertEquals(all.threads, machine.usableCpus);
  using crowded = open({ cpus, threads: 3 });
  assertEquals(crowded.threads, 3);
  one.close();
  all.close();
  crowded.close();
  using free = open({});
  assertEquals(free.threads, machine.usableCpus);
});

Deno.test("Kernels.open() names the CPUs that there are not, and the memory nodes that there are", () => {
  const { cpus, nodes } = machine;
  const absent = cpus.at(-1)! + 1;
  const error = assertThrows(
    () => open({ cpus: [cpus[0], absent, 9000] }),
    KernelError,
    `unavailable ${absent},9000`,
  );
  assertEquals(error.status, "unavailableCpu");
  assertThrows(() => open({ numaNode: 1000 }), KernelError, `nodes ${nodes.map(({ id }) => id).join(", ")}`);
  assertThrows(() => open({ cpus: [] }), RangeError, "at least one CPU");
  assertThrows(() => open({ cpus: [-1] }), RangeError, "cpus must be a whole number");
  assertEquals(machineInfo().cpus, cpus);
});

Deno.test("logits do not depend on where a runner is placed", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q4_0");
  const tokens = Array.from({ length: 30 }, (_, i) => (i * 37 + 11) % 512);
  const placements = [
    { threads: 1 },
    { numaNode: machine.nodes[0].id },
    ...planWorkers({ nodes: machine.nodes, usable: machine.usableCpus, workers: 1 }),
    ...planWorkers({ nodes: machine.nodes, workers: machine.cpus.length }),
  ];
  const results: Float32Array[] = [];
  for (const options of placements) {
    using runner = await loadRunner(path, options);
    assert(runner.forward([{ tokens, first: 0, count: tokens.length, tables: tablesOf([0, 1]) }]));
    runner.logits([tokens.length - 1]);
    results.push(runner.readLogits());
    const isAsked = "numaNode" in options && options.numaNode !== undefined;
    assertEquals(runner.kernels.numaBound === undefined, !isAsked);
    if (machine.nodes.length === 1 && isAsked) assertEquals(runner.kernels.numaBound, true);
  }
  for (const logits of results) assertEquals(logits, results[0]);
});
