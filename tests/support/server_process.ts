/** `kumi serve` as a process of its own. @module */

import { assertEquals } from "@std/assert";
import { LOCAL_MAP } from "../../src/setup/import_map.ts";
import { ROOT } from "../../src/setup/paths.ts";

const decoder = new TextDecoder();

export function command(
  args: readonly string[],
  permissions: readonly string[],
  env: Record<string, string> = {},
) {
  const map = Deno.env.get("KUMI_STD") === "local" ? [`--import-map=${LOCAL_MAP}`] : [];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-lock", `--config=${ROOT}/deno.json`, ...map, ...permissions, ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

export const SERVE = [`${ROOT}/src/cli/main.ts`, "serve"];

/** Runs `kumi serve` to its end. */
export async function output(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await command([...SERVE, ...args], ["--allow-all"], env).output();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A port that was free a moment ago: permissions name it. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Starts a server; resolves when it says where it listens. */
export function start(
  args: readonly string[],
  permissions: readonly string[],
  env: Record<string, string> = {},
) {
  return follow(command(args, permissions, env));
}

/** Starts a command that runs a server, and reads its log. */
export async function follow(command: Deno.Command) {
  const child = command.spawn();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let log = "";
  const until = async (text: string) => {
    while (!log.includes(text)) {
      const { done, value } = await reader.read();
      if (done) return;
      log += value;
    }
  };
  await until("listening on ");
  const url = /listening on (http:\S+?),?\s/.exec(`${log} `)?.[1] ?? "";
  const end = async () => {
    await until("\0never");
    if (!child.stdout.locked) await child.stdout.cancel();
    return { code: (await child.status).code, log };
  };
  return { child, url, until, end };
}

/** What a server with these arguments says that it needs. */
export async function printedPermissions(port: number, args: readonly string[] = []): Promise<string[]> {
  const { stdout, code } = await output(["--port", `${port}`, ...args, "--print-permissions"]);
  assertEquals(code, 0);
  return stdout.trim().split(" ");
}

/** What it takes to start `deno task serve` in a process group of its own, as supervisors and shells do. */
export const GROUP = { stdin: "null", stdout: "piped", stderr: "piped", detached: true } as const;
export const isWindows = Deno.build.os === "windows";

/** Leaves nothing behind where a test fails. */
export function endGroup(group: number): void {
  try {
    Deno.kill(-group, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
