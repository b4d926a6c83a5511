import { assert, assertEquals } from "@std/assert";
import {
  isWhole,
  type ProcessEntry,
  type Processes,
  startedThrough,
  systemProcesses,
} from "./parent_watch.ts";

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

Deno.test("systemProcesses() knows the parents of this process, from the system's files and from ps", () => {
  for (const os of ["linux", "darwin"] as const) {
    if (os === "linux" && Deno.build.os !== "linux") continue;
    const processes = systemProcesses(os);
    const found = processes.read([Deno.pid, Deno.ppid, 2 ** 30]);
    if (os === "darwin" && found.size === 0) continue; // a Linux machine without ps
    assertEquals(found.get(Deno.pid)?.parent, Deno.ppid);
    assert(!found.has(2 ** 30));
    const chain = startedThrough(processes);
    assertEquals(chain.slice(0, 2), [Deno.pid, Deno.ppid].filter((pid) => pid > 1));
    assert(isWhole(chain, processes));
  }
});
