import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { estimateEnergy, tableTdp } from "./tdp.ts";

Deno.test("tableTdp() gives a package's share for the CPUs that there are, and refuses what it does not know", () => {
  const whole = tableTdp("AMD EPYC 7763 64-Core Processor", 128);
  assert(!("kind" in whole));
  assertEquals([whole.watts, whole.from.startsWith("table of 20")], [280, true]);
  const part = tableTdp("Intel(R) Xeon(R) Platinum 8480+", 28);
  assert(!("kind" in part));
  assertEquals(part.watts, 350 / 4);
  // Two packages.
  const two = tableTdp("Intel(R) Xeon(R) Gold 6430", 128);
  assert(!("kind" in two) && two.watts === 540);
  for (const name of ["Intel(R) Xeon(R) Processor", "AMD EPYC 7713P 64-Core Processor", undefined]) {
    const none = tableTdp(name, 2);
    assert("kind" in none);
    assertStringIncludes(none.reason, "--tdp WATTS");
  }
});

Deno.test("estimateEnergy() multiplies TDP, utilisation and time", () => {
  const energy = estimateEnergy({ watts: 200, from: "given" }, { utilisation: 0.25, seconds: 60 });
  assertEquals({ ...energy }, {
    kind: "estimated",
    estimatedFrom: "tdp",
    tdpWatts: 200,
    tdpFrom: "given",
    utilisation: 0.25,
    estimatedSeconds: 60,
    estimatedWatts: 50,
    estimatedJoules: 3000 as typeof energy.estimatedJoules,
  });
  // Clocks that round up.
  assertEquals(
    estimateEnergy({ watts: 10, from: "given" }, { utilisation: 1.02, seconds: 1 }).utilisation,
    1,
  );
});
