import { assert, assertEquals } from "@std/assert";
import { isWhole, type ProcessEntry, type Processes, startedThrough } from "./parent_watch.ts";

/** `npx deno task serve` under a supervisor: pid, parent, group. */
const TABLE: readonly (readonly [number, number, number])[] = [
  [40, 30, 10], // kumi
  [30, 20, 10], // the task
  [20, 10, 10], // deno task
  [10, 5, 10], // npx
  [5, 2, 5], // the supervisor
  [2, 1, 2], // and who started that
];

function processesOf(
  table: readonly (readonly [number, number, number])[],
  visible = (_: number) => true,
): Processes {
  const entries = new Map<number, ProcessEntry>(
    table.map(([pid, parent, group]) => [pid, { parent, group }]),
  );
  return {
    pid: 40,
    parent: () => entries.get(40)!.parent,
    read: (pids) =>
      new Map(pids.filter((pid) => visible(pid) && entries.has(pid)).map((pid) => [pid, entries.get(pid)!])),
  };
}

/** The table after the end of a process: its children are adopted. */
function without(pid: number) {
  return TABLE.filter(([each]) => each !== pid).map(([each, parent, group]) =>
    [each, parent === pid ? 1 : parent, group] as const
  );
}

Deno.test("startedThrough() goes up to whoever started the process group", () => {
  assertEquals(startedThrough(processesOf(TABLE)), [40, 30, 20, 10, 5]);
  assertEquals(startedThrough(processesOf([[40, 1, 40]])), [40]);
  assertEquals(startedThrough(processesOf([[40, 0, 40]])), [40]);
  assertEquals(startedThrough(processesOf(TABLE, () => false)), [40, 30]);
});

Deno.test("isWhole() is false once any of them has ended, and only then", () => {
  const chain = startedThrough(processesOf(TABLE));
  assert(isWhole(chain, processesOf(TABLE)));
  for (const pid of [30, 20, 10, 5]) assert(!isWhole(chain, processesOf(without(pid))), `${pid}`);
  assert(isWhole(chain, processesOf(without(2))));
  const hidden = (table: Parameters<typeof processesOf>[0]) => processesOf(table, () => false);
  assert(isWhole([40, 30], hidden(TABLE)));
  assert(!isWhole([40, 30], hidden(without(30))));
  assert(isWhole([40], hidden(TABLE)));
});

Deno.test("systemProcesses() knows the parents of this process, from the system's files and from ps", async () => {
  // Only a program that may do everything sees them.
  const script = `
    import { isWhole, startedThrough, systemProcesses } from "${import.meta.resolve("./parent_watch.ts")}";
    const seen = ["linux", "darwin"].map((os) => {
      const processes = systemProcesses(os);
      const found = processes.read([Deno.pid, Deno.ppid, 2 ** 30]);
      const chain = startedThrough(processes);
      return { count: found.size, parent: found.get(Deno.pid)?.parent, ghost: found.has(2 ** 30), chain, whole: isWhole(chain, processes) };
    });
    console.log(JSON.stringify(seen));`;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", script] }).output();
  const [linux, ps] = JSON.parse(new TextDecoder().decode(stdout));
  for (const each of Deno.build.os === "linux" ? [linux, ps] : [ps]) {
    if (each === ps && each.count === 0) continue; // a Linux machine without ps
    assertEquals([each.parent, each.ghost, each.whole], [Deno.pid, false, true]);
    assertEquals(each.chain[1], Deno.pid);
  }
});
