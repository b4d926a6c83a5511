import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../command.ts";
import { machineOfBench, readLoads } from "./plan.ts";

Deno.test("readLoads() reads times of the traffic's load", () => {
  assertEquals(readLoads("1x, 20,0.5x,1000×"), [1, 20, 0.5, 1000]);
  for (const bad of ["", "x", "-1x", "1y", "0x", "1e3x"]) {
    assertThrows(() => readLoads(bad), UsageError, "--load");
  }
});

Deno.test("machineOfBench() finds the limits in what kumi bench wrote", () => {
  const line = JSON.stringify({
    test: "decode",
    limits: { readGBps: 30, gmacps: { int8: 700, bf16: 300, float: 90 } },
  });
  const limits = { readGBps: 30, peakGmacps: 700, from: "bench" } as const;
  assertEquals(machineOfBench(`noise\n{\n${line}\n`, "f"), limits);
  const ofTwo = line.replace("{", '{"threads":2,');
  assertEquals(machineOfBench(ofTwo, "f"), { ...limits, threads: 2 });
  assertThrows(() => machineOfBench('{"limits":{"readGBps":0}}', "f"), Error, "no limits");
});
