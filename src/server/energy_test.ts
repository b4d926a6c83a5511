import { assertEquals } from "@std/assert";
import type { EnergyCounter } from "../energy/counter.ts";
import { ServerEnergy } from "./energy.ts";

Deno.test("a server's energy is what its counter counts, and nothing once that cannot be read", () => {
  let joules: number | null = 1.5;
  let disposed = 0;
  const counter: EnergyCounter = {
    source: "rapl",
    domains: ["package-0"],
    joules: () => {
      if (joules === null) throw new Error("intel-rapl:0 cannot be read any more");
      return joules;
    },
    [Symbol.dispose]: () => disposed++,
  };
  const energy = new ServerEnergy(() => counter);
  assertEquals(energy.figures, undefined);
  energy.start();
  assertEquals(energy.figures, { source: "rapl", joules: 1.5 });
  joules = null;
  assertEquals([energy.figures, disposed], [undefined, 1]);
  joules = 9;
  assertEquals(energy.figures, undefined, "a counter that failed once is not trusted again");
  energy[Symbol.dispose]();
  assertEquals(disposed, 1);
});

Deno.test("a machine without counters has no figures of energy", () => {
  using energy = new ServerEnergy(() => ({ kind: "none", reason: "there are no counters" }));
  energy.start();
  assertEquals(energy.figures, undefined);
});
