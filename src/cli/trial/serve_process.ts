/** `kumi serve` as a child: what a trial measures is what its user will have. @module */

import { commandPermissions } from "../command_line.ts";
import type { RunningServer } from "../../trial/server_measurer.ts";

/** A child that is to be started. */
export interface ServeProcessOptions {
  /** The configuration file, an absolute path. */
  readonly config: string;
  /** The program: src/cli/main.ts, or what it became in a package. */
  readonly program: string;
  readonly signal: AbortSignal;
}

/** The end of its log that is kept. */
const LOG_CHARACTERS = 4000;

/**
 * Starts a server and waits until it is ready. Throws an Error with the end of its log where it ends before, and
 * the signal's reason.
 */
export async function startServeProcess(options: ServeProcessOptions): Promise<RunningServer> {
  const { config, program, signal } = options;
  signal.throwIfAborted();
  const argv = ["serve", "--config", config];
  const startedAt = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...importMap(program), ...await commandPermissions(argv), program, ...argv],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let log = "";
  let onText: () => void = () => {};
  // Read to the end: what nobody reads would fill the pipe.
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      log = (log + text).slice(-LOG_CHARACTERS);
      onText();
    }
  })();
  const stop = async () => {
    try {
      // It holds nothing that has to be written.
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await child.status;
    await reading;
  };
  const lastWords = () => log.trim().split("\n").slice(-3).join(" ");
  try {
    await new Promise<void>((resolve, reject) => {
      const abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      onText = () => {
        if (!log.includes("kumi: ready: ")) return;
        signal.removeEventListener("abort", abort);
        resolve();
      };
      child.status.then(() => reading).then(() =>
        reject(new Error(lastWords() || "the server did not start"))
      );
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const url = /listening on (http:\S+?),/.exec(log)?.[1];
  if (url === undefined) {
    await stop();
    throw new Error(`the server does not say where it listens: ${lastWords()}`);
  }
  return { url, loadSeconds: (performance.now() - startedAt) / 1000, lastWords, stop };
}

/** The checkout's tasks say which map this process runs with; a package has none. */
function importMap(program: string): string[] {
  if (Deno.env.get("KUMI_STD") !== "local") return [];
  return [`--import-map=${new URL("../setup/import_map.local.json", program).href}`];
}
