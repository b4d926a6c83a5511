/**
 * The command line: `deno task kumi <command>`.
 * @module
 */

import { type Command, helpText, parseCommand, UsageError } from "./command.ts";
import { bench } from "./commands/bench.ts";
import { chat } from "./commands/chat.ts";
import { loadtest } from "./commands/loadtest.ts";
import { inspect } from "./commands/inspect.ts";
import { perplexity } from "./commands/perplexity.ts";
import { quantize } from "./commands/quantize.ts";
import { run } from "./commands/run.ts";
import { serve } from "./commands/serve.ts";
import { tokenize } from "./commands/tokenize.ts";
import { indented } from "../process/harmless.ts";
import { VERSION } from "../protocol/version.ts";
import { printLine, printNote } from "../process/print.ts";

const COMMANDS: readonly Command[] = [
  chat,
  run,
  serve,
  inspect,
  tokenize,
  quantize,
  bench,
  perplexity,
  loadtest,
];

function overview(): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length));
  return [
    "kumi serves large language models from ordinary CPUs.",
    "",
    "usage: kumi <command> [options]",
    "",
    ...COMMANDS.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`),
    "",
    "kumi <command> --help tells the options of a command, kumi --version which kumi this is.",
    "Environment: KUMI_ISA forces an instruction set level, KUMI_LIBRARY another kernel library,",
    "KUMI_CACHE the folder for downloaded models; KUMI_DEBUG=1 prints stacks with errors.",
  ].join("\n");
}

/**
 * Runs one command line and resolves to the exit status: 0 done, 1 failed, 2 called wrongly, 70 ended
 * because the engine is stuck, 130 interrupted.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === "--version" || name === "-V" || name === "version") {
    printLine(`kumi ${VERSION}`);
    return 0;
  }
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    const topic = COMMANDS.find((command) => command.name === rest[0]);
    printLine(topic ? helpText(topic) : overview());
    return name === undefined ? 2 : 0;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) {
    printNote(`kumi: unknown command ${JSON.stringify(name)}\n\n${overview()}`);
    return 2;
  }
  const optionsEnd = rest.indexOf("--");
  const options = optionsEnd < 0 ? rest : rest.slice(0, optionsEnd);
  if (options.includes("--help") || options.includes("-h")) {
    printLine(helpText(command));
    return 0;
  }
  try {
    return await command.run(parseCommand(command, rest));
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof Deno.errors.BrokenPipe) return 0; // the reader, such as `head`, has had enough
  if (error instanceof DOMException && error.name === "AbortError") {
    printNote("kumi: interrupted");
    return 130;
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  printNote(`kumi: ${error instanceof UsageError ? message : indented(message)}`);
  if (Deno.env.get("KUMI_DEBUG") && stack) printNote(indented(stack));
  return error instanceof UsageError ? 2 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
