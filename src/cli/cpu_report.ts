/**
 * `kumi inspect --cpu`: the processor, the instruction set levels, and which one the kernels use and why.
 * @module
 */

import { formatCpuList } from "../ffi/cpu_list.ts";
import { type IsaLevel, isaReport, obstacles, refusal } from "../ffi/isa.ts";
import { machineInfo } from "../ffi/machine.ts";
import { renderTable } from "./table.ts";

/** What `kumi inspect --cpu --json` prints. */
export interface CpuReport {
  readonly processor: string | null;
  readonly arch: string;
  /** Cores of `cpus`, threads of one core counted once; null where the system does not tell. */
  readonly cores: number | null;
  /** CPUs that this process may use; null where the system has no such list. */
  readonly cpus: readonly number[] | null;
  /** Threads that it should use at most, control groups counted. */
  readonly usableCpus: number;
  /** CPUs' worth of time that a control group grants; null without a limit. */
  readonly cpuQuota: number | null;
  /** CPUs of each memory node that this process may use. */
  readonly nodes: readonly { readonly id: number; readonly cpus: readonly number[] }[];
  /** Features of the processor that levels make use of. */
  readonly features: readonly string[];
  /** The levels of this architecture, best first. */
  readonly levels: readonly IsaLevel[];
  readonly chosen: { readonly level: string; readonly why: "best supported" | "forced by KUMI_ISA" };
}

/**
 * Asks the machine. Throws RangeError, naming the level, when `forced`, the value of KUMI_ISA, is no level
 * that it can run.
 */
export function cpuReport(forced: string | undefined): CpuReport {
  const isa = isaReport();
  const refused = forced === undefined ? undefined : refusal(forced, isa);
  if (refused !== undefined) throw new RangeError(`KUMI_ISA=${forced} cannot be used: ${refused}`);
  const levels = isa.levels.filter(({ arch }) => arch === "" || arch === Deno.build.arch);
  const machine = machineInfo();
  return {
    processor: machine.processor ?? null,
    arch: Deno.build.arch,
    cores: isa.cores ?? null,
    cpus: machine.cpus.length > 0 ? machine.cpus : null,
    usableCpus: machine.usableCpus,
    cpuQuota: machine.cpuQuota ?? null,
    nodes: machine.nodes.map(({ id, cpus }) => ({ id, cpus })),
    features: isa.features,
    levels,
    chosen: forced === undefined
      ? { level: levels.find(({ supported }) => supported)!.name, why: "best supported" }
      : { level: forced, why: "forced by KUMI_ISA" },
  };
}

/** The report as text. */
export function renderCpuReport(report: CpuReport): string {
  const { chosen, cpus, nodes } = report;
  const facts = [
    ["processor", report.processor ?? "unknown"],
    ["architecture", report.arch],
    ["cores", `${report.cores ?? "unknown"}`],
    ["CPUs", cpus === null ? "unknown" : `${cpus.length} (${formatCpuList(cpus)})`],
    ["CPU quota", report.cpuQuota === null ? "none" : `${report.cpuQuota} CPUs' worth of time`],
    ["threads", threadsText(report)],
    ["memory nodes", nodesText(nodes)],
    ["features", report.features.join(" ")],
  ];
  const levels = report.levels.map((level) => [
    level.name,
    level.name === chosen.level ? "chosen" : level.supported ? "supported" : "not supported",
    level.supported ? "" : obstacles(level),
  ]);
  return [
    renderTable(["machine", ""], facts),
    renderTable(["level", "", ""], levels),
    `The kernels use ${chosen.level}: ${chosen.why}.`,
  ].join("\n\n");
}

function nodesText(nodes: CpuReport["nodes"]): string {
  const each = nodes.map(({ id, cpus }) => `node ${id} with CPUs ${formatCpuList(cpus)}`);
  return nodes.length === 0 ? "unknown" : `${nodes.length}: ${each.join(", ")}`;
}

function threadsText({ usableCpus, cpuQuota, cpus }: CpuReport): string {
  if (cpuQuota === null || cpus === null || usableCpus === cpus.length) return `${usableCpus} by default`;
  const why = cpuQuota < 1 ? "the least there can be" : "the quota does not feed more";
  return `${usableCpus} by default: ${why}`;
}
