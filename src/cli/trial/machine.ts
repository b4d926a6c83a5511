/** What the machine and the model are, for a trial's report. @module */

import { capture } from "../../process/capture.ts";
import { CACHE_PROGRAM } from "../commands/trial.ts";
import { cpuReport } from "../cpu_report.ts";
import { machineInfo } from "../../ffi/machine.ts";
import { checkKvFormat, describe, kvBytesPerToken, kvFormatNames } from "../../gguf/mod.ts";
import { loadModelRunner } from "../../runner/model_runner.ts";
import { openModel } from "../../safetensors/open_model.ts";
import type { TrialMachine, TrialModel } from "../../trial/report_data.ts";
import { macsOf, modelCost } from "../bench/limits.ts";
import { meterOf } from "../bench/model_meter.ts";

/** The machine as it is told; what has to be measured is added by {@linkcode measureLimits}. */
export function describeMachine(): TrialMachine {
  const cpu = cpuReport(Deno.env.get("KUMI_ISA") || undefined);
  const info = machineInfo();
  const memory = Deno.systemMemoryInfo();
  return {
    processor: cpu.processor,
    arch: cpu.arch,
    system: Deno.build.os,
    level: cpu.chosen.level,
    levelWhy: cpu.chosen.why,
    levels: cpu.levels.map(({ name, supported }) => ({ name, supported })),
    features: cpu.features,
    cores: cpu.cores,
    cpus: cpu.cpus,
    usableCpus: cpu.usableCpus,
    cpuQuota: cpu.cpuQuota,
    nodes: info.nodes.map(({ id, cpus, memoryBytes }) => ({ id, cpus, memoryBytes: memoryBytes ?? null })),
    caches: [],
    memoryBytes: memory.total,
    availableBytes: info.availableBytes ?? memory.available,
    readGBps: null,
    readGBpsByThreads: {},
    peakGmacps: null,
    loadBefore: Deno.build.os === "windows" ? null : Deno.loadavg()[0],
  };
}

const CACHES = [
  { name: "LEVEL1_DCACHE_SIZE", level: 1, kind: "data" },
  { name: "LEVEL1_ICACHE_SIZE", level: 1, kind: "instructions" },
  { name: "LEVEL2_CACHE_SIZE", level: 2, kind: "unified" },
  { name: "LEVEL3_CACHE_SIZE", level: 3, kind: "unified" },
  { name: "LEVEL4_CACHE_SIZE", level: 4, kind: "unified" },
];

/** The caches that a CPU sees, as getconf tells: Deno lets nobody read /sys. None where there is no getconf. */
export async function readCaches(): Promise<TrialMachine["caches"]> {
  const told = await capture([CACHE_PROGRAM, "-a"]);
  return told?.code === 0 ? cachesIn(told.stdout) : [];
}

/** Reads lines such as "LEVEL2_CACHE_SIZE    2097152"; 0 is what a system does not know. */
export function cachesIn(text: string): TrialMachine["caches"] {
  return CACHES.flatMap(({ name, level, kind }) => {
    const bytes = Number(new RegExp(`^${name}\\s+(\\d+)$`, "m").exec(text)?.[1] ?? 0);
    return bytes > 0 ? [{ level, kind, bytes }] : [];
  });
}

/** What a trial knows of a model before it serves it. */
export interface TrialModelFacts {
  readonly model: TrialModel;
  /** Formats of the KV cache that its heads allow and that are worth a try, the default first. */
  readonly kvFormats: readonly string[];
  /** Bytes that each step reads, and multiply-adds of a token. */
  readonly matrixBytes: number;
  readonly macsPerToken: number;
  readonly weightsBytes: number;
  readonly isRandom: boolean;
}

/** The format that a server takes by itself, and the one that is smaller. */
const TRIED_KV_FORMATS = kvFormatNames.filter((name) => name === "f16" || name === "q8_0");

/** Reads what a model's file says. Throws where it cannot be opened, or has no keys and values. */
export async function describeModel(spec: string, path: string): Promise<TrialModelFacts> {
  using file = await openModel(path);
  const said = describe(file);
  if (said.kv === null || said.architecture === null) {
    throw new Error(`${path} says nothing of its attention heads: it is no model that answers`);
  }
  const kv = said.kv;
  const kvFormats = TRIED_KV_FORMATS.filter((format) => {
    try {
      checkKvFormat(format, kv);
      return true;
    } catch {
      return false;
    }
  });
  const cost = modelCost(file, kvBytesPerToken(kv, "f16"));
  return {
    model: {
      spec,
      name: said.name ?? spec,
      architecture: said.architecture,
      quantisation: said.types[0]?.type ?? "unknown",
      parameters: said.parameters,
      fileBytes: said.fileBytes,
      contextLength: said.contextMax ?? 2048,
      kvBytesPerToken: kvBytesPerToken(kv, "f16"),
      loadSeconds: null,
    },
    kvFormats,
    matrixBytes: cost.matrixBytes + cost.expertShare * cost.expertBytes,
    macsPerToken: macsOf(cost.layerMacs) + macsOf(cost.headMacs),
    weightsBytes: said.weightsBytes,
    isRandom: /\brandom\b/i.test(said.name ?? ""),
  };
}

/** Read bandwidth on the model's own matrices, and multiply-add peaks. */
export type MeasuredLimits = Pick<TrialMachine, "readGBps" | "readGBpsByThreads" | "peakGmacps">;

/** Loads the model once and measures: some seconds beside loading it. */
export async function measureLimits(path: string, signal: AbortSignal): Promise<MeasuredLimits> {
  using file = await openModel(path);
  using runner = await loadModelRunner(file, {
    contextLength: 64,
    kvTokens: 64,
    logitsRowsMax: 1,
    isa: Deno.env.get("KUMI_ISA") || undefined,
    signal,
  });
  using meter = meterOf(runner, file);
  meter.sample();
  signal.throwIfAborted();
  const { readGBps, readGBpsByThreads, gmacps } = meter.limits;
  return { readGBps, readGBpsByThreads, peakGmacps: gmacps };
}
