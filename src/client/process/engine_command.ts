/** How an engine's process is started, and what it may touch. @module */

import { defaultLibraryPath, readEnvironment } from "../../ffi/library.ts";
import type { LoadOptions } from "../../protocol/options/load.ts";
import { engineEntry } from "./engine_entry.ts";

/** What an engine needs to know of the machine. */
const SYSTEM = "systemMemoryInfo,cpus";

/** A program and its arguments. */
export interface EngineCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/** The program that runs engines. Throws an Error for one that cannot run modules. */
export function engineProgram(): string {
  if (Deno.build.standalone) {
    throw new Error(
      "A program made by `deno compile` cannot run the engine in a process of its own: run it with `deno run`, " +
        "or load the model without isolation",
    );
  }
  return Deno.execPath();
}

/** The options of loading that name what an engine touches. */
export type EngineFiles = Pick<LoadOptions, "libraryPath" | "prefixStore">;

/**
 * The command that runs an engine: it reads files, opens the kernel library, writes its store of prefixes if it has one, and may
 * nothing else; above all it reaches no network.
 */
export function engineCommand({ libraryPath, prefixStore }: EngineFiles = {}): EngineCommand {
  const entry = engineEntry();
  const library = libraryPath ?? readEnvironment("KUMI_LIBRARY") ?? defaultLibraryPath();
  return {
    program: engineProgram(),
    args: [
      ...["run", "--quiet", "--no-prompt", "--allow-read", `--allow-ffi=${library}`],
      ...[`--allow-sys=${SYSTEM}`, "--allow-env=KUMI_*", "--ignore-env"],
      ...prefixStore === undefined ? [] : [`--allow-write=${prefixStore.dir}`],
      ...importFlags(entry),
      entry,
    ],
  };
}

/** Variables of the environment that Deno or an engine looks at. */
const VARIABLES = [
  ...["KUMI_LIBRARY", "KUMI_ISA", "DENO_DIR", "HOME", "XDG_CACHE_HOME", "NO_COLOR", "TMPDIR"],
  ...["USERPROFILE", "LOCALAPPDATA", "SYSTEMROOT", "TEMP"],
];

/** Starts an engine's process. Throws Deno's errors where it may not be started, or is not there. */
export function spawnEngine({ program, args }: EngineCommand): Deno.ChildProcess {
  const piped = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  const options = { args: [...args], ...piped };
  try {
    return new Deno.Command(program, options).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    // Who may start this program alone may not pass on LD_LIBRARY_PATH and the like, as conda and others set them.
    const known = VARIABLES.map((name) => [name, readEnvironment(name)]);
    const env = Object.fromEntries(known.filter(([, value]) => value !== undefined));
    return new Deno.Command(program, { ...options, clearEnv: true, env }).spawn();
  }
}

/** Throws a NotCapable error that says which permission is missing, where this program may not start the command. */
export function assertMayRun({ program }: EngineCommand): void {
  const { state } = Deno.permissions.querySync({ name: "run", command: program });
  if (state === "granted") return;
  throw new Deno.errors.NotCapable(
    `The engine cannot run in a process of its own: this program may not start one; give it --allow-run=${program}`,
  );
}

/** Modules that lie on a server of one's own import others from there. */
function importFlags(entry: string): string[] {
  const { protocol, host } = new URL(entry);
  return protocol === "https:" || protocol === "http:" ? [`--allow-import=${host},jsr.io:443`] : [];
}
