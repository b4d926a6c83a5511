/**
 * What a command line asks for. Read once, by whoever starts the process and by the process itself.
 * @module
 */

import { type Access, NOTHING, permissionFlags } from "./access.ts";
import { type Arguments, parseCommand, UsageError } from "./command.ts";
import { type CommandName, COMMANDS, findCommand } from "./commands.ts";
import type { Environment } from "../hub/cache.ts";

export { permissionFlags };

/** One of the things that a command line may be. */
export type CommandLine =
  | { readonly asks: "version" }
  /** Of all commands, or of one. */
  | { readonly asks: "help"; readonly topic?: CommandName; readonly isMissing?: true }
  | { readonly asks: "unknown"; readonly name: string }
  /** `words` follow the command's name. */
  | { readonly asks: "command"; readonly command: CommandName; readonly words: readonly string[] };

/** Tells which command is meant, without looking at its options. */
export function readCommandLine([name, ...words]: readonly string[]): CommandLine {
  if (name === undefined) return { asks: "help", isMissing: true };
  if (["--version", "-V", "version"].includes(name)) return { asks: "version" };
  if (["--help", "-h", "help"].includes(name)) {
    return { asks: "help", topic: words.length > 0 ? findCommand(words[0]) : undefined };
  }
  const command = findCommand(name);
  if (command === undefined) return { asks: "unknown", name };
  const end = words.indexOf("--");
  const options = end < 0 ? words : words.slice(0, end);
  if (options.includes("--help") || options.includes("-h")) return { asks: "help", topic: command };
  return { asks: "command", command, words };
}

/**
 * What `kumi <argv>` may touch, as its command says. A mistake may touch nothing: the command itself reports
 * it.
 */
export async function commandAccess(
  argv: readonly string[],
  env: Environment = Deno.env.get,
): Promise<Access> {
  const line = readCommandLine(argv);
  if (line.asks !== "command") return NOTHING;
  try {
    const command = await COMMANDS[line.command]();
    const args: Arguments = parseCommand(command, line.words);
    return await command.access(args, env);
  } catch (error) {
    if (error instanceof UsageError) return NOTHING;
    throw error;
  }
}

/** Deno's permission flags for `kumi <argv>`: as little as its arguments allow. */
export async function commandPermissions(
  argv: readonly string[],
  env: Environment = Deno.env.get,
): Promise<string[]> {
  return permissionFlags(await commandAccess(argv, env), env);
}
