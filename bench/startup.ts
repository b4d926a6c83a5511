/**
 * Whole commands, timed by hyperfine: from nothing to the first token of an answer.
 *
 * deno task run bench/startup.ts [--model FILE | --shape NAME --format FORMAT] [--peer llama.cpp | --parts] [--runs N]
 * @module
 */

import { installPeer } from "../src/cli/bench/peer/install.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { resolveModelFile } from "../src/cli/model_option.ts";
import { ensureBundle } from "../src/setup/bundle.ts";
import { chooseStd, stdFlags } from "../src/setup/import_map.ts";
import { ROOT } from "../src/setup/paths.ts";
import { commandPermissions } from "../src/cli/command_line.ts";
import { ensureProgram, ProgramMissing } from "../src/setup/programs.ts";
import { type PartsSetting, partsTable } from "./startup/parts.ts";
import { runScript } from "./support/script.ts";

const PROMPT = "Tell me a story about a lamp.";

const COMMAND: Command = {
  name: "bench/startup.ts",
  summary: "time whole commands from start to the first token, with hyperfine",
  usage: "[--model FILE | --shape NAME --format FORMAT] [--peer llama.cpp | --parts] [--runs N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "PATH|hf:…", help: "GGUF file", default: "demo" },
    { name: "shape", value: "NAME", help: "a model with random weights instead" },
    { name: "format", value: "FORMAT", help: "its weight format", default: "q4_k" },
    { name: "runs", value: "N", help: "runs of each command", default: "10" },
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores of this machine" },
    { name: "peer", value: "llama.cpp", help: "time it too, in node" },
    { name: "export-json", value: "FILE", help: "hyperfine's results" },
    { name: "parts", help: "where kumi's time goes instead, part by part; needs no hyperfine" },
  ],
  run: runStartup,
};

async function runStartup(args: Arguments): Promise<number> {
  const runs = numberOption(args, "runs", { min: 2, max: 1000, integer: true })!;
  const threads = numberOption(args, "threads", { min: 1, max: 1024, integer: true }) ??
    navigator.hardwareConcurrency;
  const shape = args.values.get("shape");
  const model = shape === undefined
    ? await resolveModelFile(args.values.get("model")!)
    : await randomModelFile(shape, args.values.get("format")!);
  if (args.switches.has("parts")) {
    console.log(await partsTable(await partsSetting(model, threads, runs)));
    return 0;
  }
  const peer = args.values.get("peer");
  if (peer !== undefined && peer !== "llama.cpp") {
    throw new RangeError(`--peer takes llama.cpp, current value is ${peer}`);
  }
  const commands = [...await kumiCommands(model, threads)];
  if (peer !== undefined) commands.push(await peerCommand(model, threads));
  const flags = ["--shell=none", "--warmup", "1", "--runs", `${runs}`];
  const json = args.values.get("export-json");
  if (json !== undefined) flags.push("--export-json", json);
  const named = commands.flatMap(([name, command]) => ["--command-name", name, command.map(quote).join(" ")]);
  return await hyperfine([...flags, ...named]);
}

/** Parts of the commands, each with the one before in it, and what the last one does. */
async function partsSetting(model: string, threads: number, runs: number): Promise<PartsSetting> {
  const [[, task], [, command]] = await kumiCommands(model, threads);
  const all = [Deno.execPath(), "run", "--quiet", "--allow-all", ...stdFlags(await chooseStd())];
  const main = await mainModule();
  const until = (words: string[], main: string) => [...words.slice(0, words.indexOf(main) + 1), "--version"];
  return {
    nothing: [...all, `${ROOT}/bench/startup/nothing.ts`],
    commands: [
      ["kumi --version", until(command, main)],
      ["deno task kumi --version", until(task, "kumi")],
      ["kumi run", command],
      ["deno task kumi run", task],
    ],
    laps: [...all, `${ROOT}/bench/startup/laps.ts`, model, `${threads}`, PROMPT],
    runs,
  };
}

/** What the task runs. */
async function mainModule(): Promise<string> {
  return (await ensureBundle({ std: await chooseStd() }))?.main ?? `${ROOT}/src/cli/main.ts`;
}

/** What a user types, and the command line that the task starts. */
async function kumiCommands(model: string, threads: number): Promise<[string, string[]][]> {
  const args = ["run", "--raw", PROMPT, "--model", model, "--temperature", "0", "--max-tokens", "1"];
  args.push("--threads", `${threads}`);
  const flags = ["--quiet", `--config=${ROOT}/deno.json`, ...stdFlags(await chooseStd())];
  return [
    ["deno task kumi run", [
      Deno.execPath(),
      "task",
      "--quiet",
      `--config=${ROOT}/deno.json`,
      "kumi",
      ...args,
    ]],
    ["kumi run", [
      Deno.execPath(),
      "run",
      ...flags,
      ...await commandPermissions(args),
      await mainModule(),
      ...args,
    ]],
  ];
}

async function peerCommand(model: string, threads: number): Promise<[string, string[]]> {
  const script = `${ROOT}/bench/startup/llamacpp_first_token.mjs`;
  return ["llama.cpp in node", ["node", script, await installPeer(), model, `${threads}`, PROMPT]];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

async function hyperfine(args: readonly string[]): Promise<number> {
  try {
    const program = await ensureProgram("hyperfine");
    return (await new Deno.Command(program, { args: [...args], stdin: "null" }).spawn().status).code;
  } catch (error) {
    if (!(error instanceof ProgramMissing)) throw error;
    console.error(`bench/startup.ts: ${error.message}`);
    return 1;
  }
}

if (import.meta.main) await runScript(COMMAND);
