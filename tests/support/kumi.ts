/** The command line in a process of its own, with the permissions that the tasks give it. @module */

import { commandPermissions } from "../../src/cli/command_line.ts";
import { chooseStd, stdFlags } from "../../src/setup/import_map.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** How a run of it ended. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command as a process that has not begun. */
export async function kumiCommand(args: string[], env: Record<string, string> = {}): Promise<Deno.Command> {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      ...stdFlags(await chooseStd()),
      ...await commandPermissions(args),
      "src/cli/main.ts",
      ...args,
    ],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", ...env },
  });
}

/** Runs it to its end. */
export async function kumi(args: string[], stdin = "", env: Record<string, string> = {}): Promise<Run> {
  const child = (await kumiCommand(args, env)).spawn();
  const writer = child.stdin.getWriter();
  // A command that refuses its arguments may be gone before it reads.
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}
