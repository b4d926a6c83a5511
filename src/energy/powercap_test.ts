import { assert, assertAlmostEquals, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { PowercapZone } from "../ffi/energy.ts";
import { openEnergyCounter, startWindow } from "./counter.ts";
import { chooseZones, ZoneSum } from "./powercap.ts";

const RANGE = 262_143_328_850;
const zone = (folder: string, name: string, energyUj: PowercapZone["energyUj"] = 0): PowercapZone => ({
  zone: folder,
  name,
  energyUj,
  rangeUj: RANGE,
});

/** A server of two packages, as Intel's are. */
const TWO = [
  zone("intel-rapl:0", "package-0"),
  zone("intel-rapl:0:0", "core"),
  zone("intel-rapl:0:1", "uncore"),
  zone("intel-rapl:0:2", "dram"),
  zone("intel-rapl:1", "package-1"),
  zone("intel-rapl:1:0", "dram"),
  zone("intel-rapl:2", "psys"),
  zone("intel-rapl-mmio:0", "package-0"),
];

function chosen(zones: readonly PowercapZone[]): string[] {
  const choice = chooseZones(zones);
  assert("zones" in choice, "reason" in choice ? choice.reason : "");
  return choice.zones.map(({ zone, domain }) => `${zone} ${domain}`);
}

Deno.test("chooseZones() takes packages and DRAM, and nothing that lies in them or contains them", () => {
  assertEquals(chosen(TWO), [
    "intel-rapl:0 package-0",
    "intel-rapl:0:2 dram-0",
    "intel-rapl:1 package-1",
    "intel-rapl:1:0 dram-1",
  ]);
  // AMD: no DRAM, but a zone for the cores.
  assertEquals(chosen([zone("intel-rapl:0", "package-0"), zone("intel-rapl:0:0", "core")]), [
    "intel-rapl:0 package-0",
  ]);
  // Several dies in a package.
  assertEquals(chosen([zone("intel-rapl:0", "package-0-die-0"), zone("intel-rapl:1", "package-0-die-1")]), [
    "intel-rapl:0 package-0-die-0",
    "intel-rapl:1 package-0-die-1",
  ]);
  // Registers closed, memory open.
  assertEquals(
    chosen([zone("intel-rapl:0", "package-0", "denied"), zone("intel-rapl-mmio:0", "package-0")]),
    [
      "intel-rapl-mmio:0 package-0",
    ],
  );
});

Deno.test("chooseZones() says why there is nothing to add up, and the command that changes it", () => {
  const reason = (zones: readonly PowercapZone[]) => {
    const choice = chooseZones(zones);
    assert("reason" in choice);
    return choice.reason;
  };
  assertStringIncludes(reason([]), "no RAPL counters");
  assertStringIncludes(reason([]), "modprobe intel_rapl_msr");
  // psys alone says nothing of packages.
  assertStringIncludes(reason([zone("intel-rapl:0", "psys")]), "no RAPL counters");
  assertStringIncludes(
    reason([zone("intel-rapl:0", "package-0", "denied")]),
    "sudo chmod a+r /sys/class/powercap/",
  );
  // What is closed is not left out silently.
  const closedDram = TWO.with(3, zone("intel-rapl:0:2", "dram", "denied"));
  assertStringIncludes(reason(closedDram), "may only be read by root");
  assertStringIncludes(
    reason([zone("intel-rapl:0", "package-0", "error")]),
    "intel-rapl:0 (package-0) has no numbers",
  );
  assertStringIncludes(
    reason([{ ...zone("intel-rapl:0", "package-0"), rangeUj: "absent" }]),
    "has no numbers",
  );
});

Deno.test("ZoneSum adds packages and DRAM up, over the ends of their counters", () => {
  const choice = chooseZones(TWO);
  assert("zones" in choice);
  const sum = new ZoneSum(choice.zones);
  const at = (p0: number, d0: number, p1: number, d1: number, psys: number) =>
    [p0, 1e12, 1e12, d0, p1, d1, psys, 1e12].map((energyUj, i) => ({ ...TWO[i], energyUj }));
  sum.add(at(5_000_000, 1_000_000, RANGE - 3_000_000, 0, 7));
  assertEquals(sum.joules, 0);
  // 12 J, 2 J, 3 J to the end and 4 J after it, 0.5 J.
  sum.add(at(17_000_000, 3_000_000, 4_000_000, 500_000, 900_000_000));
  assertAlmostEquals(sum.joules, 12 + 2 + 7 + 0.5, 1e-9);
  sum.add(at(18_000_000, 3_000_000, 4_000_000, 500_000, 0));
  assertAlmostEquals(sum.joules, 22.5, 1e-9);
  assertThrows(
    () => sum.add(TWO.with(4, zone("intel-rapl:1", "package-1", "denied"))),
    Error,
    "intel-rapl:1",
  );
  assertThrows(() => sum.add(TWO.slice(1)), Error, "cannot be read any more");
});

Deno.test("startWindow() tells gross and idle-subtracted energy of its time alone", () => {
  const energies = [10, 30, 130, 130, 190];
  let at = 0, ms = 0;
  const readZones = () => [zone("intel-rapl:0", "package-0", 1e6 * energies[at])];
  const counter = openEnergyCounter({ readZones });
  assert(!("kind" in counter));
  using open = counter;
  assertEquals([open.source, open.domains], ["rapl", ["package-0"]]);
  at = 1;
  const window = startWindow(open, { idleWatts: 15, now: () => ms });
  at = 2;
  ms = 4000;
  const first = window.stop();
  // 100 J in 4 s, of which 60 J are idle.
  assertEquals([first.grossJoules, first.seconds, first.meanWatts, first.idleSubtractedJoules as number], [
    100,
    4,
    25,
    40,
  ]);
  assertEquals([first.kind, first.source, first.domains, first.idleWatts], [
    "measured",
    "rapl",
    ["package-0"],
    15,
  ]);
  const second = startWindow(open, { now: () => ms });
  at = 4;
  ms = 6000;
  assertEquals([second.stop().grossJoules, second.stop().idleSubtractedJoules], [60, null]);
});
