/** `kumi serve` as a child: what a trial measures is what its user will have. @module */

import { LogLines } from "../../client/process/log_lines.ts";
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

/** Lines of its log that are kept. */
const LOG_LINES = 10;

/** What a checkout without JSR reads `@std/*` from. Beside this module, and not beside the program, which may be a bundle. */
const LOCAL_MAP = new URL("../../setup/import_map.local.json", import.meta.url);

/** What Deno is given to serve. `std`: the value of `KUMI_STD`, by which a checkout's tasks say which map they run with; a package has none. */
export async function serveArguments(
  { config, program }: Pick<ServeProcessOptions, "config" | "program">,
  std = Deno.env.get("KUMI_STD"),
): Promise<string[]> {
  const argv = ["serve", "--config", config];
  const map = std === "local" ? [`--import-map=${LOCAL_MAP.href}`] : [];
  return ["run", "--quiet", ...map, ...await commandPermissions(argv), program, ...argv];
}

/**
 * Starts a server and waits until it is ready. Throws an Error with the end of its log where it ends before, and
 * the signal's reason.
 */
export async function startServeProcess(options: ServeProcessOptions): Promise<RunningServer> {
  const { signal } = options;
  signal.throwIfAborted();
  const startedAt = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: await serveArguments(options),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let url: string | undefined;
  const ready = Promise.withResolvers<void>();
  const log = new LogLines((line) => {
    url ??= /listening on (http:\S+?),/.exec(line)?.[1];
    if (line.includes("kumi: ready: ")) ready.resolve();
  }, LOG_LINES);
  // Read to the end: what nobody reads would fill the pipe.
  const reading = log.read(child.stderr);
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
  const lastWords = () => log.lastWords;
  const abort = () => ready.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  child.status.then(() => reading).then(() =>
    ready.reject(new Error(lastWords() || "the server did not start"))
  );
  try {
    await ready.promise;
    if (url === undefined) throw new Error(`the server does not say where it listens: ${lastWords()}`);
  } catch (error) {
    await stop();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
  return { url, loadSeconds: (performance.now() - startedAt) / 1000, lastWords, stop };
}
