/** Programs of this folder that take options as the command line does. @module */

import { type Command, helpText, parseCommand } from "../../src/cli/command.ts";

/** Runs the command with this process's arguments and ends the process; mistakes are one line. */
export async function runScript(command: Command): Promise<never> {
  if (Deno.args.includes("--help")) {
    console.log(helpText(command));
    Deno.exit(0);
  }
  try {
    Deno.exit(await command.run(parseCommand(command, Deno.args)));
  } catch (error) {
    console.error(`${command.name}: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
