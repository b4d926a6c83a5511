/** What `kumi batch` does. @module */

import { dirname } from "node:path";
import { DEFAULT_CLASSES, type LatencyClass } from "../../../scheduler/mod.ts";
import type { Model } from "../../client/model.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine, printNote } from "../../process/print.ts";
import { AnswerFile, AnswerFileError } from "../../server/bulk/answer_file.ts";
import { BulkAsker } from "../../server/bulk/asker.ts";
import { indexRequests, type RequestFile } from "../../server/bulk/request_file.ts";
import { type AnswerFiles, runBulk, unanswered } from "../../server/bulk/run.ts";
import { ENDPOINTS } from "../../server/dialects/endpoints.ts";
import { BODY_LIMITS } from "../../server/guard/json_body.ts";
import { ModelHost } from "../../server/model_host.ts";
import { defaultModelName } from "../../server/model_name.ts";
import { FixedModels } from "../../server/models.ts";
import { Service } from "../../server/service.ts";
import { BulkReport } from "../bulk_report.ts";
import { type Arguments, numberOption, UsageError } from "../command.ts";
import { counted } from "../counted.ts";
import { interruptible } from "../interrupt.ts";
import { checkModelOptions, loadModelWithProgress } from "../model_option.ts";
import { fileProblem } from "../named_file.ts";
import { ProgressLine } from "../progress.ts";

/** Some requests have errors. */
const HAS_ERRORS = 3;
const PARALLEL_MAX = 4096;
/** Problems of lines that are told one by one. */
const TOLD_MAX = 5;

/** Answers the requests of IN that have no line in OUT. */
export async function runBatch(args: Arguments): Promise<number> {
  const [input, output] = args.positional;
  const parallel = numberOption(args, "parallel", { min: 1, max: PARALLEL_MAX, integer: true })!;
  const errors = args.values.get("errors");
  checkModelOptions(args);
  await checkFiles(input, output, errors);
  using interrupt = interruptible();
  const requests = await readRequests(input, interrupt.signal);
  const name = args.values.get("model-name") ?? defaultModelName(args.values.get("model")!);
  checkModels(requests, name);
  await using answers = await openAnswers(output);
  checkGoesOn(answers, output, name);
  await using failures = errors === undefined ? null : await openAnswers(errors, "errors");
  const files = { answers, errors: failures ?? undefined };
  const open = unanswered(requests, files).length;
  tellOf(requests, open);
  const report = new BulkReport({ open, done: requests.entries.length - open });
  const isNeeded = open > 0 || requests.problems.some(({ line }) => !isTold(files, line));
  if (isNeeded) {
    await answerAll({ args, name, input, requests, files, parallel, report, signal: interrupt.signal });
  }
  const failed = answers.counts.failed + (failures?.counts.failed ?? 0);
  const figures = { ...report.figures(), answered: answers.counts.answered, failed };
  if (args.switches.has("json")) printLine(JSON.stringify(figures));
  else printNote(`kumi: ${report.summary(failed)}`);
  return failed > 0 ? HAS_ERRORS : 0;
}

/** Throws a UsageError where all requests ask for another model: each would get the same error. */
function checkModels({ entries }: RequestFile, name: string): void {
  const others = entries.filter(({ model = name }) => model !== name);
  if (others.length === 0) return;
  const example = oneLine(JSON.stringify(others[0].model));
  if (others.length < entries.length) {
    return printNote(
      `kumi: ${counted(others.length, "request")} for another model than "${name}", such as ${example}`,
    );
  }
  throw new UsageError(
    `no request asks for the model "${name}", the first asks for ${example}: --model-name says what it is called`,
  );
}

function isTold({ answers, errors }: AnswerFiles, line: number): boolean {
  return answers.problemLines.has(line) || (errors?.problemLines.has(line) ?? false);
}

/** Opens a file of answers, or makes it. Throws a UsageError where the system refuses, an AnswerFileError. */
async function openAnswers(path: string, option?: string): Promise<AnswerFile> {
  try {
    return await AnswerFile.open(path);
  } catch (error) {
    if (error instanceof AnswerFileError) throw error;
    throw fileProblem(path, error, { option, verb: "written" });
  }
}

/** Throws a UsageError where the answers of an earlier run are another model's: nobody could tell them apart later. */
function checkGoesOn({ models }: AnswerFile, output: string, name: string): void {
  const other = models.values().find((model) => model !== name);
  if (other === undefined) return;
  throw new UsageError(
    `${output} has answers of the model ${JSON.stringify(other)}, this one is called ${
      JSON.stringify(name)
    }: ` +
      "name another file, or, where it is the same model, give it that --model-name",
  );
}

/** Throws a UsageError where a file would be read and written, or one cannot be there. */
async function checkFiles(input: string, output: string, errors?: string): Promise<void> {
  const real = (path: string) => Deno.realPath(path).catch(() => null);
  const from = await real(input);
  if (from === null) throw new UsageError(`there is no file ${input}`);
  if ((await Deno.stat(input)).isDirectory) throw fileProblem(input, new Deno.errors.IsADirectory());
  const written = [output, ...errors === undefined ? [] : [errors]];
  for (const path of written) {
    if (await real(path) === from) throw new UsageError(`${path} holds the requests: name another file`);
  }
  if (errors !== undefined && (errors === output || (await real(errors) ?? 1) === await real(output))) {
    throw new UsageError("--errors names the file of the answers: leave it out to have all in one");
  }
  await checkPlace(output);
  if (errors !== undefined) await checkPlace(errors, "errors");
}

/** Throws a UsageError where no file can be: none shall be made before a mistake is told. */
async function checkPlace(path: string, option?: string): Promise<void> {
  try {
    const there = await Deno.stat(path).catch(() => null);
    if (there?.isDirectory) throw new Deno.errors.IsADirectory();
    if (there === null && !(await Deno.stat(dirname(path))).isDirectory) {
      throw new Deno.errors.NotADirectory();
    }
  } catch (error) {
    throw fileProblem(path, error, { option, verb: "written" });
  }
}

async function readRequests(input: string, signal: AbortSignal): Promise<RequestFile> {
  using bar = new ProgressLine("reading", (lines) => counted(lines, "line"));
  return await indexRequests(input, {
    lineBytesMax: BODY_LIMITS.bytesMax,
    onLine: (line) => {
      signal.throwIfAborted();
      bar.update(line, 0);
    },
  });
}

function tellOf({ entries, problems }: RequestFile, open: number): void {
  const done = entries.length - open;
  printNote(
    `kumi: ${counted(entries.length, "request")}` + (done > 0 ? `, ${done} of them done before` : "") +
      (problems.length > 0 ? `, ${counted(problems.length, "line")} wrong` : ""),
  );
  for (const { line, message } of problems.slice(0, TOLD_MAX)) {
    printNote(`kumi: line ${line}: ${oneLine(message)}`);
  }
  const more = problems.length - TOLD_MAX;
  if (more > 0) printNote(`kumi: and ${more} more, which have error lines, too`);
}

interface Work {
  readonly args: Arguments;
  /** Of the model, in requests. */
  readonly name: string;
  readonly input: string;
  readonly requests: RequestFile;
  readonly files: AnswerFiles;
  readonly parallel: number;
  readonly report: BulkReport;
  readonly signal: AbortSignal;
}

async function answerAll(
  { args, name, input, requests, files, parallel, report, signal }: Work,
): Promise<void> {
  const latencyClass = bulkClass(parallel);
  await using model = await loadModelWithProgress(args, { classes: [latencyClass], sequencesMax: parallel });
  const service = await serviceOf(model, name, args.switches.has("lenient"));
  const workers = model.health().workers.length;
  using _line = report.begin();
  await runBulk({
    path: input,
    requests,
    files,
    asker: new BulkAsker(service, ENDPOINTS),
    tenant: "",
    class: latencyClass.name,
    signal,
    parallel: parallel * workers,
    tokensMax: model.info.kvTokens * workers,
    onLine: (line) => report.note(line),
  });
}

/** One class, whose requests start at once and are never refused. */
function bulkClass(parallel: number): LatencyClass {
  const usual = DEFAULT_CLASSES.find(({ name }) => name === "batch")!;
  const queueLimit = { requests: Number.MAX_SAFE_INTEGER, tokens: Number.MAX_SAFE_INTEGER };
  return { ...usual, maxBatch: parallel, maxWaitMs: 0, queueLimit };
}

async function serviceOf(model: Model, name: string, lenient: boolean): Promise<Service> {
  const host = new ModelHost(model, 0);
  await host.settled;
  return new Service({ models: new FixedModels([{ name, host }]), lenient });
}
