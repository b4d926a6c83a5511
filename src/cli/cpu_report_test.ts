import { assertMatch } from "@std/assert";
import { type CpuReport, renderCpuReport } from "./cpu_report.ts";

const { test } = Deno;

function report(usableCpus: number, cpuQuota: number | null): string {
  const whole: CpuReport = {
    processor: "a processor",
    arch: "x86_64",
    cores: 4,
    cpus: [0, 1, 2, 3],
    usableCpus,
    cpuQuota,
    nodes: [{ id: 0, cpus: [0, 1, 2, 3] }],
    features: [],
    levels: [],
    chosen: { level: "x86_64_v3", why: "best supported" },
  };
  return renderCpuReport(whole);
}

test("renderCpuReport() tells the CPU quota, and why it gives fewer threads than there are CPUs", () => {
  assertMatch(report(4, null), /CPU quota +none\nthreads +4 by default\n/);
  assertMatch(report(4, 6), /CPU quota +6 CPUs' worth of time\nthreads +4 by default\n/);
  assertMatch(
    report(1, 1.5),
    /CPU quota +1\.5 CPUs' worth of time\nthreads +1 by default: the quota does not feed more\n/,
  );
  assertMatch(
    report(1, 0.5),
    /CPU quota +0\.5 CPUs' worth of time\nthreads +1 by default: the least there can be\n/,
  );
});
