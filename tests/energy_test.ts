/** Energy counters through the library, in trees of files like those of real machines. */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname } from "node:path";
import { EnergyEvents, powercapZones } from "../src/ffi/energy.ts";
import { openEnergyCounter, startWindow } from "../src/energy/counter.ts";

const IS_LINUX = Deno.build.os === "linux";
const RANGE = 262_143_328_850;

async function inTree(
  files: Readonly<Record<string, string>>,
  test: (root: string, write: (path: string, text: string) => Promise<void>) => Promise<void> | void,
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "kumi-energy-" });
  const write = async (path: string, text: string) => {
    await Deno.mkdir(dirname(`${root}/${path}`), { recursive: true });
    await Deno.writeTextFile(`${root}/${path}`, text);
  };
  try {
    for (const [path, text] of Object.entries(files)) await write(path, text);
    await test(root, write);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

function zone(folder: string, name: string, energyUj: number): Record<string, string> {
  return {
    [`${folder}/name`]: `${name}\n`,
    [`${folder}/energy_uj`]: `${energyUj}\n`,
    [`${folder}/max_energy_range_uj`]: `${RANGE}\n`,
  };
}

Deno.test({
  name: "RAPL is read through the library, packages and DRAM, over the ends of counters",
  ignore: !IS_LINUX,
  fn: () =>
    inTree({
      ...zone("intel-rapl:0", "package-0", 1_000_000),
      ...zone("intel-rapl:0:0", "core", 900_000),
      ...zone("intel-rapl:0:1", "dram", 5_000_000),
      ...zone("intel-rapl:1", "package-1", RANGE - 1_000_000),
      ...zone("intel-rapl:2", "psys", 77),
    }, async (powercapRoot, write) => {
      const counter = openEnergyCounter({ powercapRoot, pmuRoot: "/nowhere" });
      assert(!("kind" in counter));
      using open = counter;
      assertEquals(open.domains, ["package-0", "dram-0", "package-1"]);
      const window = startWindow(open);
      await write("intel-rapl:0/energy_uj", "3500000\n");
      await write("intel-rapl:0:0/energy_uj", "3300000\n");
      await write("intel-rapl:0:1/energy_uj", "6000000\n");
      await write("intel-rapl:1/energy_uj", "1000000\n");
      await write("intel-rapl:2/energy_uj", "99000000\n");
      assertAlmostEquals(window.stop().grossJoules, 2.5 + 1 + 2, 1e-9);
      await Deno.remove(`${powercapRoot}/intel-rapl:1/energy_uj`);
      let message = "";
      try {
        open.joules();
      } catch (error) {
        message = (error as Error).message;
      }
      assertStringIncludes(message, "intel-rapl:1 (package-1) cannot be read any more");
    }),
});

Deno.test({
  name: "zones without permission, without numbers and without files are told apart",
  ignore: !IS_LINUX,
  fn: () =>
    inTree({
      ...zone("intel-rapl:0", "package-0", 1),
      "intel-rapl:1/name": "package-1\n",
      "intel-rapl:1/energy_uj": "many\n",
    }, async (root) => {
      assertEquals(powercapZones(root), [
        { zone: "intel-rapl:0", name: "package-0", energyUj: 1, rangeUj: RANGE },
        { zone: "intel-rapl:1", name: "package-1", energyUj: "error", rangeUj: "absent" },
      ]);
      assertEquals(powercapZones("/nowhere"), []);
      if (Deno.uid() === 0) return; // root may read everything
      await Deno.chmod(`${root}/intel-rapl:0/energy_uj`, 0o000);
      assertEquals(powercapZones(root)[0].energyUj, "denied");
    }),
});

Deno.test("a machine without counters says so", () => {
  const none = openEnergyCounter({ powercapRoot: "/nowhere", pmuRoot: "/nowhere" });
  assert("kind" in none);
  assertStringIncludes(none.reason, IS_LINUX ? "virtual machines" : "no RAPL counters");
});

Deno.test({
  name: "events of the power PMU are counted where the system lets them be",
  ignore: !IS_LINUX,
  // The clock of a CPU in the place of its energy: every Linux has that.
  fn: () =>
    inTree({
      type: "1\n",
      cpumask: "0\n",
      "events/energy-pkg": "event=0x0\n",
      "events/energy-pkg.scale": "1e-9\n",
      "events/energy-ram": "event=0xffffff\n",
      "events/energy-ram.scale": "1\n",
    }, (pmuRoot) => {
      {
        using events = new EnergyEvents(pmuRoot);
        assertEquals(events.events.map(({ name }) => name), ["energy-pkg", "energy-ram"]);
        assert("problem" in events.events[1]);
        events[Symbol.dispose]();
      }
      const counter = openEnergyCounter({ powercapRoot: "/nowhere", pmuRoot });
      if ("kind" in counter) {
        assertStringIncludes(counter.reason, "perf_event_paranoid");
        console.log("skipped: this system counts no events for this process");
        return;
      }
      using open = counter;
      assertEquals([open.source, open.domains], ["perf", ["package-of-cpu-0"]]);
      const before = open.joules();
      for (const end = performance.now() + 5; performance.now() < end;);
      assert(open.joules() > before);
    }),
});
