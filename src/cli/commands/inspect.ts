/** `kumi inspect`: what a model file holds, and whether it fits this machine; or what the processor can do. @module */

import {
  checkKvFormat,
  describe,
  type Fit,
  fit,
  type GgufFile,
  kvBytesPerToken,
  type KvFormat,
  type MetadataValue,
  type ModelDescription,
  openGguf,
} from "../../gguf/mod.ts";
import { type Arguments, type Command, numberOption } from "../command.ts";
import { cpuReport, renderCpuReport } from "../cpu_report.ts";
import { resolveModelFile } from "../model_option.ts";
import { KV_OPTION, kvOption } from "../sampling_options.ts";
import { availableMemoryBytes } from "../system.ts";
import { renderTable } from "../table.ts";
import { formatBytes, formatCount } from "../units.ts";
import { oneLine } from "../../terminal/harmless.ts";
import { printLine } from "../../terminal/print.ts";

const TEXT_CELL_MAX = 72;

/** Prints metadata, tensors and sizes; with --users and --context the memory that such a load takes. */
export const inspect: Command = {
  name: "inspect",
  summary: "show a model file's metadata, tensors, sizes, and whether it fits this machine",
  usage: "inspect FILE [--users N --context C] [--json] | inspect --cpu [--json]",
  positionals: { min: 0, max: 1 },
  options: [
    {
      name: "model",
      alias: "m",
      value: "PATH|hf:…",
      help: "the file, when not given as FILE",
      default: "demo",
    },
    { name: "users", alias: "u", value: "N", help: "sequences at the same time", default: "1" },
    {
      name: "context",
      alias: "c",
      value: "C",
      help: "tokens of each sequence; default: the model's context",
    },
    KV_OPTION,
    { name: "cpu", help: "no file: the processor's instruction set levels, and which one is used and why" },
    { name: "tensors", help: "list every tensor" },
    { name: "json", help: "one JSON object with everything" },
  ],
  details: "Exit status 1 when --users or --context was given and the model does not fit.",
  run: runInspect,
};

async function runInspect(args: Arguments): Promise<number> {
  if (args.switches.has("cpu")) {
    const report = cpuReport(Deno.env.get("KUMI_ISA") || undefined);
    printLine(args.switches.has("json") ? JSON.stringify(report) : renderCpuReport(report));
    return 0;
  }
  const kvFormat = kvOption(args);
  const users = numberOption(args, "users", { min: 1, max: 1e6, integer: true })!;
  const contextGiven = numberOption(args, "context", { min: 1, max: 2 ** 31, integer: true });
  const path = await resolveModelFile(args.positional[0] ?? args.values.get("model")!);
  using file = await openGguf(path);
  const model = describe(file);
  if (model.kv !== null) checkKvFormat(kvFormat, model.kv);
  const context = contextGiven ?? model.contextMax ?? 4096;
  const memory = model.kv === null ? undefined : fit({
    weightsBytes: model.weightsBytes,
    kvBytesPerToken: kvBytesPerToken(model.kv, kvFormat),
    users,
    context,
    availableBytes: availableMemoryBytes(),
  });
  if (args.switches.has("json")) {
    printLine(JSON.stringify(jsonReport(file, model, kvFormat, users, context, memory)));
  } else {
    printLine(textReport(file, model, args.switches.has("tensors")));
    if (memory !== undefined) printLine(memoryReport(model, memory, kvFormat, users, context));
  }
  const asked = contextGiven !== undefined || users > 1;
  return asked && memory !== undefined && !memory.fits ? 1 : 0;
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
    (model.splitCount > 1 ? `\none of ${model.splitCount} parts: join them before use` : ""),
    renderTable(["metadata", "value"], metadata),
    renderTable(["type", "tensors", "parameters", "size"], types),
  ];
  if (listTensors) {
    const rows = model.tensors.map((t) => [t.name, t.type, t.dims.join(" × "), formatBytes(t.bytes)]);
    sections.push(renderTable(["tensor", "type", "dimensions", "size"], rows));
  }
  return sections.join("\n\n");
}

function memoryReport(
  model: ModelDescription,
  memory: Fit,
  kvFormat: KvFormat,
  users: number,
  context: number,
): string {
  const perToken = kvBytesPerToken(model.kv!, kvFormat);
  const rows = [
    ["weights", formatBytes(memory.weightsBytes), ""],
    [
      "KV cache",
      formatBytes(memory.kvBytes),
      `${users} × ${context} tokens × ${perToken} bytes (${kvFormat})`,
    ],
    ["margin", formatBytes(memory.marginBytes), "runtime, activations, logits, tokenizer"],
    ["total", formatBytes(memory.totalBytes), ""],
    ["available", formatBytes(memory.availableBytes), "machine and control group"],
  ];
  const verdict = memory.fits
    ? `fits this machine (up to ${memory.usersMax} users with ${context} tokens each)`
    : memory.contextMax > 0
    ? `does not fit this machine; ${users} user(s) could have ${memory.contextMax} tokens each`
    : "does not fit this machine: not even the weights";
  return `\n${renderTable(["memory", "size", ""], rows)}\n${verdict}`;
}

function jsonReport(
  file: GgufFile,
  model: ModelDescription,
  kvFormat: KvFormat,
  users: number,
  context: number,
  memory: Fit | undefined,
) {
  const metadata = Object.fromEntries(
    [...file.metadata].map((
      [key, value],
    ) => [key, isArray(value) ? { length: value.length } : jsonValue(value)]),
  );
  const kv = model.kv === null
    ? null
    : { format: kvFormat, bytesPerToken: kvBytesPerToken(model.kv, kvFormat) };
  return { ...model, metadata, kvCache: kv, users, context, memory: memory ?? null };
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
