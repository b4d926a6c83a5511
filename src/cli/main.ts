/**
 * The command line: `deno task kumi <command>`.
 * @module
 */

import { ACTIONS } from "./actions.ts";
import { helpText, parseCommand, UsageError } from "./command.ts";
import { readCommandLine } from "./command_line.ts";
import { COMMANDS } from "./commands.ts";
import { indented } from "../process/harmless.ts";
import { printLine, printNote } from "../process/print.ts";
import { VERSION } from "../protocol/version.ts";

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    "kumi serves large language models from ordinary CPUs.",
    "",
    "usage: kumi <command> [options]",
    "",
    ...commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`),
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
  const line = readCommandLine(argv);
  switch (line.asks) {
    case "version":
      printLine(`kumi ${VERSION}`);
      return 0;
    case "help":
      printLine(line.topic ? helpText(await COMMANDS[line.topic]()) : await overview());
      return line.isMissing ? 2 : 0;
    case "unknown":
      printNote(`kumi: unknown command ${JSON.stringify(line.name)}\n\n${await overview()}`);
      return 2;
    case "command":
      try {
        // Before the words are read: what it needs, an engine's worker among it, is loaded meanwhile.
        const action = ACTIONS[line.command]();
        action.catch(() => {}); // told below, unless the words are wrong, too
        const args = parseCommand(await COMMANDS[line.command](), line.words);
        return await (await action)(args);
      } catch (error) {
        return report(error);
      }
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
