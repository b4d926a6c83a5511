/**
 * The tasks of deno.json: gets what a task needs (Zig, the kernel library, an import map that works on this
 * network), then runs the command itself in a child with only the permissions it needs. Imports nothing that
 * has to be fetched.
 * @module
 */

import { BuildError, ensureLibrary, ensureReferenceLibrary } from "./build.ts";
import { type Bundle, ensureBundle, knownBundle } from "./bundle.ts";
import { ParentWatch } from "../process/parent_watch.ts";
import { chooseStd, stdFlags } from "./import_map.ts";
import { ROOT } from "./paths.ts";
import { foreground, Interruption } from "./process.ts";
import { note } from "./progress.ts";
import { ensureZig, ZigError } from "./zig.ts";

/**
 * The folder the user stands in: Deno's tasks start in the checkout, but paths on the command line mean this
 * one.
 */
function userFolder(): string {
  const folder = Deno.env.get("INIT_CWD");
  try {
    return folder && Deno.statSync(folder).isDirectory ? folder : Deno.cwd();
  } catch {
    return Deno.cwd();
  }
}

/** A module that not every task waits for: one that an `import` names is read at the start. */
async function load<Module>(path: string): Promise<Module> {
  return await import(new URL(`file://${path.replace(/[%#?]/g, encodeURIComponent)}`).href);
}

/** Builds the kernel library, unless the user names another one. */
async function getLibrary(signal: AbortSignal): Promise<void> {
  if (!Deno.env.get("KUMI_LIBRARY")) await ensureLibrary({ signal });
}

/** Runs a program of this checkout, or of the user, where the user stands. */
async function runFile(
  file: string,
  args: readonly string[],
  permissions: readonly string[],
  stop?: AbortSignal,
): Promise<number> {
  const source = await chooseStd();
  const flags = ["--quiet", `--config=${ROOT}/deno.json`, ...stdFlags(source), ...permissions];
  const command = [Deno.execPath(), "run", ...flags, file, ...args];
  return await foreground(command, { cwd: userFolder(), env: { KUMI_STD: source }, stop });
}

const MAIN = `${ROOT}/src/cli/main.ts`;

/** As the command line stands: where stacks shall name its lines, and before it is bundled. */
const MODULES: Bundle = { main: MAIN, commandLine: `${ROOT}/src/cli/command_line.ts` };

/** The command line for a command that runs models. */
async function bundled(command: string, signal: AbortSignal): Promise<Bundle> {
  if (Deno.env.get("KUMI_DEBUG")) return MODULES;
  try {
    return await ensureBundle({ std: await chooseStd(), command, signal }) ?? MODULES;
  } catch (error) {
    if (signal.aborted) throw error;
    return MODULES; // where nothing can be written, say
  }
}

/** Asks the command what it needs, and runs it with that and no more. */
async function runCommand(args: readonly string[], signal: AbortSignal): Promise<number> {
  const [command = ""] = args;
  const known = Deno.env.get("KUMI_DEBUG") ? undefined : knownBundle({ std: await chooseStd(), command });
  const { commandAccess, permissionFlags } = await load<typeof import("../cli/command_line.ts")>(
    (known ?? MODULES).commandLine,
  );
  const access = await commandAccess(args);
  if (access.library) await getLibrary(signal);
  const gone = new AbortController();
  // The command sees only its own parent, which is this process: this one may see those before it.
  using _watch = access.endsWithParent ? new ParentWatch(() => gone.abort()) : null;
  const { main } = known ?? (access.library ? await bundled(command, signal) : MODULES);
  return await runFile(main, args, permissionFlags(access), gone.signal);
}

const BENCH_PERMISSIONS = "--no-prompt --allow-read --allow-write --allow-env --allow-ffi --allow-sys".split(
  " ",
);

/** `deno bench`: the files named, or all of bench/. */
async function runBenches(args: readonly string[], signal: AbortSignal): Promise<number> {
  await getLibrary(signal);
  await ensureReferenceLibrary({ signal });
  const source = await chooseStd();
  const files = args.some((arg) => /\.bench\.ts$/.test(arg)) ? [] : ["bench/"];
  const flags = [...stdFlags(source), ...BENCH_PERMISSIONS];
  return await foreground([Deno.execPath(), "bench", ...flags, ...args, ...files], {
    cwd: ROOT,
    env: { KUMI_STD: source },
  });
}

async function format(args: readonly string[], signal: AbortSignal): Promise<number> {
  const zig = await ensureZig({ signal });
  const code = await foreground([zig, "fmt", "kernels"], { cwd: ROOT });
  return code || await foreground([Deno.execPath(), "fmt", ...args], { cwd: ROOT });
}

const BUILD_HELP = `usage: deno task build [--all]

Gets Zig, if it is missing, and builds the kernel library of this machine into .build/lib.

  --all   the libraries of every platform that there are packages for`;

const TASKS: Record<string, (args: readonly string[], signal: AbortSignal) => Promise<number>> = {
  chat: (args, signal) => runCommand(["chat", ...args], signal),
  serve: (args, signal) => runCommand(["serve", ...args], signal),
  bench: runBenches,
  kumi: runCommand,
  run: async ([file, ...args], signal) => {
    if (file === undefined) throw new RangeError("usage: deno task run FILE.ts [arguments]");
    await getLibrary(signal);
    return await runFile(file, args, ["--allow-all"]);
  },
  build: async (args, signal) => {
    if (args.includes("--help") || args.includes("-h")) {
      note(BUILD_HELP);
      return 0;
    }
    const unknown = args.find((arg) => arg !== "--all");
    if (unknown !== undefined) throw new RangeError(`unknown option ${unknown}; see deno task build --help`);
    if (args.includes("--all")) {
      const { buildAll } = await load<typeof import("./build_all.ts")>(`${ROOT}/src/setup/build_all.ts`);
      return await buildAll({ signal }) ? 0 : 1;
    }
    note(await ensureLibrary({ signal }));
    return 0;
  },
  page: (args) => runFile(`${ROOT}/src/setup/page/main.ts`, args, ["--allow-all"]),
  pack: (args) => runFile(`${ROOT}/src/setup/pack/main.ts`, args, ["--allow-all"]),
  release: (args) => runFile(`${ROOT}/src/setup/release/main.ts`, args, ["--allow-all"]),
  test: async (args) => {
    const command = [Deno.execPath(), "run", "--quiet", "--allow-all", `${ROOT}/tests/run.ts`, ...args];
    return await foreground(command, { cwd: ROOT, env: { KUMI_STD: await chooseStd() } });
  },
  sim: (args) => runFile(`${ROOT}/tests/sim/main.ts`, args, ["--allow-read"]),
  check: async (args) => {
    const flags = stdFlags(await chooseStd());
    return await foreground([Deno.execPath(), "check", ...flags, ...(args.length > 0 ? args : ["."])], {
      cwd: ROOT,
    });
  },
  fmt: format,
};

/**
 * Runs a task and resolves to its exit status. Mistakes and failures that a user can act on are one message.
 */
async function main([name = "", ...args]: readonly string[]): Promise<number> {
  const task = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  if (task === undefined) {
    note(`no task is called ${JSON.stringify(name)}; there are ${Object.keys(TASKS).join(", ")}`);
    return 2;
  }
  using interruption = new Interruption();
  try {
    return await task(args, interruption.signal);
  } catch (error) {
    if (interruption.signal.aborted) return 130;
    const isExpected = [ZigError, BuildError, RangeError].some((type) => error instanceof type);
    if (!isExpected) throw error;
    note((error as Error).message);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
