/** What `kumi inspect` does. @module */

import {
  checkKvFormat,
  describe,
  type GgufFile,
  kvBytesPerToken,
  type KvFormat,
  type MetadataValue,
  type ModelDescription,
} from "../../gguf/mod.ts";
import { activeWeights } from "../../gguf/active.ts";
import { memoryBytes } from "../../layers/formats.ts";
import { readFileSampling } from "../../protocol/file_sampling.ts";
import { flagOf } from "../../protocol/options/option.ts";
import { judge, type MemoryPlan, type Verdict } from "../../runner/model_file.ts";
import { type Arguments, numberOption, UsageError } from "../command.ts";
import { cpuReport, renderCpuReport } from "../cpu_report.ts";
import { resolveModelFile } from "../model_option.ts";
import { readBandwidth } from "../read_bandwidth.ts";
import { kvOption } from "../sampling_options.ts";
import { availableMemoryBytes } from "../system.ts";
import { renderTable } from "../table.ts";
import { formatBytes, formatCount } from "../units.ts";
import { counted } from "../counted.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine } from "../../process/print.ts";
import { openModel } from "../../safetensors/open_model.ts";

const TEXT_CELL_MAX = 72;
/** Smaller models lie in caches for the most part, whose speed the memory's says nothing about. */
const SPEED_FROM_BYTES = 256 << 20;

/**
 * Prints metadata, tensors and sizes, and what loading the file would say; with --users and --context of such
 * a load.
 */
export async function runInspect(args: Arguments): Promise<number> {
  if (args.switches.has("cpu")) {
    const [file] = args.positional;
    if (file !== undefined) {
      throw new UsageError(`inspect --cpu looks at the processor and at no file: leave ${file} or --cpu out`);
    }
    const report = cpuReport(Deno.env.get("KUMI_ISA") || undefined);
    printLine(args.switches.has("json") ? JSON.stringify(report) : renderCpuReport(report));
    return 0;
  }
  const kvFormat = kvOption(args);
  const users = numberOption(args, "users", { min: 1, max: 1e6, integer: true })!;
  const contextGiven = numberOption(args, "context", { min: 1, max: 2 ** 31, integer: true });
  const path = await resolveModelFile(args.positional[0] ?? args.values.get("model")!);
  using file = await openModel(path);
  const model = describe(file);
  if (model.kv !== null) checkKvFormat(kvFormat, model.kv);
  const verdict = judge(file, {
    kvFormat,
    users,
    context: contextGiven,
    availableBytes: availableMemoryBytes(),
  });
  if (args.switches.has("json")) {
    printLine(JSON.stringify(jsonReport(file, model, kvFormat, users, verdict)));
  } else {
    printLine(textReport(file, model, args.switches.has("tensors")));
    printLine(verdictReport(verdict, kvFormat, users));
    if (verdict.runs && model.weightsBytes >= SPEED_FROM_BYTES) printLine(speedReport(file));
  }
  const asked = contextGiven !== undefined || users > 1;
  return asked && verdict.memory?.fits !== true ? 1 : 0;
}

function textReport(file: GgufFile, model: ModelDescription, listTensors: boolean): string {
  const metadata = [...file.metadata].map(([key, value]) => [key, showValue(value)]);
  const types = model.types.map((total) => [
    total.type,
    `${total.tensors}`,
    formatCount(total.parameters),
    formatBytes(total.bytes),
  ]);
  const sections = [
    `${oneLine(model.path)}\nGGUF version ${model.version}, ${formatBytes(model.fileBytes)}, ` +
    `${model.tensors.length} tensors, ${formatCount(model.parameters)} parameters` +
    (model.active.parameters < 0.9 * model.parameters
      ? `, of which ${formatCount(model.active.parameters)} work for a token`
      : "") +
    (model.partCount > 1 ? `\nin ${model.partCount} files, of which this is the first` : "") +
    (model.pooling === null ? "" : `\nembeddings are pooled by ${model.pooling}`) + samplingLine(file),
    renderTable(["metadata", "value"], metadata),
    renderTable(["type", "tensors", "parameters", "size"], types),
  ];
  if (listTensors) {
    const rows = model.tensors.map((t) => [t.name, t.type, t.dims.join(" × "), formatBytes(t.bytes)]);
    sections.push(renderTable(["tensor", "type", "dimensions", "size"], rows));
  }
  return sections.join("\n\n");
}

/** How the file would have its model sampled, in the command line's own words. */
function samplingLine(file: GgufFile): string {
  const { sampling } = readFileSampling(file.metadata);
  const parts = Object.entries(sampling).map(([name, value]) => `--${flagOf(name)} ${value}`);
  return parts.length === 0 ? "" : `\nsampled, where nothing else is asked for, with ${parts.join(", ")}`;
}

/** The last line says whether the file can be run. */
function verdictReport({ runs, reason, notes, memory }: Verdict, kvFormat: KvFormat, users: number): string {
  if (!runs || memory === null) return `\nthis build cannot run it: ${reason}`;
  return [
    `\n${memoryTable(memory, kvFormat, users)}`,
    ...notes.map((note) => `note: ${note}`),
    `this build can run it${memoryVerdict(memory, users)}`,
  ].join("\n");
}

/** How fast one sequence is answered at most, as the machine's memory is now. */
function speedReport(file: GgufFile): string {
  const { bytes } = activeWeights(file, ({ type, dims }) => memoryBytes(type, dims));
  const readGBps = readBandwidth(Deno.env.get("KUMI_ISA") || undefined);
  const perSecond = readGBps * 1e9 / bytes;
  return `a token reads ${formatBytes(bytes)} of weights, at ${readGBps.toFixed(1)} GB/s here: ` +
    `at most ${perSecond.toFixed(perSecond < 10 ? 1 : 0)} tokens/s for one user`;
}

function memoryTable(memory: MemoryPlan, kvFormat: KvFormat, users: number): string {
  return renderTable(["memory", "size", ""], [
    ["weights", formatBytes(memory.weightsBytes), ""],
    [
      "KV cache",
      formatBytes(memory.kvBytes),
      `${users} × ${memory.context} tokens × ${memory.kvBytesPerToken} bytes (${kvFormat})`,
    ],
    ["margin", formatBytes(memory.marginBytes), "activations, logits, rotary tables, tokenizer"],
    ["total", formatBytes(memory.totalBytes), ""],
    ["available", formatBytes(memory.availableBytes), "machine and control group"],
  ]);
}

function memoryVerdict(memory: MemoryPlan, users: number): string {
  const { fits, usersMax, contextMax, contextLimit, context } = memory;
  if (fits) return `, and it fits this machine (up to ${usersMax} users with ${context} tokens each)`;
  if (context > contextLimit) {
    return `, but not with ${context} tokens: the model's context is ${contextLimit}`;
  }
  return contextMax > 0
    ? `, but so it does not fit this machine; ${counted(users, "user")} could have ${contextMax} tokens each`
    : ", but it does not fit this machine: not even the weights";
}

function jsonReport(
  file: GgufFile,
  model: ModelDescription,
  kvFormat: KvFormat,
  users: number,
  { memory, ...verdict }: Verdict,
) {
  const metadata = Object.fromEntries(
    [...file.metadata].map((
      [key, value],
    ) => [key, isArray(value) ? { length: value.length } : jsonValue(value)]),
  );
  const kv = model.kv === null
    ? null
    : { format: kvFormat, bytesPerToken: kvBytesPerToken(model.kv, kvFormat) };
  const { sampling } = readFileSampling(file.metadata);
  return {
    ...model,
    sampling,
    metadata,
    kvCache: kv,
    users,
    context: memory?.context ?? null,
    memory,
    verdict,
  };
}

function isArray(
  value: MetadataValue,
): value is Extract<MetadataValue, { readonly length: number } & object> {
  return typeof value === "object";
}

function jsonValue(value: MetadataValue): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function showValue(value: MetadataValue): string {
  if (isArray(value)) {
    const first = Array.from({ length: Math.min(3, value.length) }, (_, i) => JSON.stringify(value[i]));
    return `[${first.join(", ")}${value.length > 3 ? ", …" : ""}] (${value.length})`;
  }
  const text = typeof value === "string"
    ? JSON.stringify(value)
    : typeof value === "number"
    ? `${Number(value.toPrecision(7))}` // most floats are stored in 32 bits
    : `${value}`;
  return text.length > TEXT_CELL_MAX
    ? `${text.slice(0, TEXT_CELL_MAX - 1)}… (${text.length} characters)`
    : text;
}
