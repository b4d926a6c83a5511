/** `kumi serve` in a process of its own, as it is used. @module */

import { LOCAL_MAP } from "../../src/setup/import_map.ts";
import { ROOT } from "../../src/setup/paths.ts";

/** A server that has loaded its model. */
export interface ServerProcess {
  /** Such as http://127.0.0.1:41234. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** CPU time of the process so far; 0 where the system does not tell. */
  cpuMs(): number;
  stop(): Promise<void>;
  /** Asks it to end in order, as whoever upgrades it does: what is under way ends. */
  drain(): Promise<void>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
}

const TICK_MS = 10;

/**
 * Starts a server, on any free port by default. `args`: as for `kumi serve`. Throws an Error with its log where it
 * does not come up.
 */
export async function startServerProcess(args: readonly string[], port = 0): Promise<ServerProcess> {
  const map = Deno.env.get("KUMI_STD") === "local" ? [`--import-map=${LOCAL_MAP}`] : [];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-lock", `--config=${ROOT}/deno.json`, ...map, "--allow-all"],
      ...[`${ROOT}/src/cli/main.ts`, "serve", "--port", String(port), ...args],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let log = "";
  while (!log.includes("kumi: ready: ")) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the server did not start: ${log}`);
    log += value;
  }
  // Nobody reads the rest, but it must not fill the pipe.
  const rest = (async () => {
    while (!(await reader.read()).done);
  })();
  const url = /listening on (http:\S+?),/.exec(log)![1];
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid,
    cpuMs: () => cpuOf(child.pid),
    stop: async () => {
      child.kill("SIGINT");
      child.kill("SIGINT");
      await child.status;
      await rest;
    },
    drain: async () => {
      child.kill("SIGTERM");
      await child.status;
      await rest;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await child.status;
      await rest;
    },
  };
}

function cpuOf(pid: number): number {
  try {
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0;
  }
}
