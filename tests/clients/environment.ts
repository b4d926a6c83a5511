/**
 * What the clients need: a virtual environment of Python with their packages, and Java's compiler.
 * @module
 */

import { findOnPath } from "../../src/process/path_search.ts";
import { pathOf, TOOLS } from "../../src/setup/paths.ts";
import { capture } from "../../src/setup/process.ts";
import { Progress } from "../../src/setup/progress.ts";
import { pythonCommand } from "../../src/setup/programs.ts";

const REQUIREMENTS = pathOf(new URL("./requirements.txt", import.meta.url));
/** It says that it needs torch; all else that it needs is among the requirements. */
const GUIDELLM = "guidellm==0.8.1";

async function run(command: readonly string[]): Promise<string> {
  const result = await capture(command, { env: { PIP_DISABLE_PIP_VERSION_CHECK: "1" } });
  if (result?.code !== 0) throw new Error(`${command.join(" ")} failed\n${result?.stderr ?? "not found"}`);
  return result.stdout;
}

/**
 * Python of an environment with the clients' packages, made where it is missing. `torch`: with what guidellm
 * needs beside them.
 */
export async function pythonOf(
  options: { readonly folder?: string; readonly torch: boolean },
): Promise<string> {
  const folder = options.folder ?? `${TOOLS}/clients`;
  const python = `${folder}/bin/python`;
  const mark = `${folder}/installed.txt`;
  const wanted = await Deno.readTextFile(REQUIREMENTS) + GUIDELLM;
  const isCurrent = await Deno.readTextFile(mark).then((text) => text === wanted, () => false);
  if (!isCurrent) {
    using progress = new Progress(`Installing clients from PyPI into ${folder} (about 1 GB)`);
    await run([...pythonCommand(), "-m", "venv", folder]);
    await run([python, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS]);
    await run([python, "-m", "pip", "install", "--quiet", "--no-deps", GUIDELLM]);
    await Deno.writeTextFile(mark, wanted);
    progress.end(`Installed the clients in ${progress.seconds.toFixed(0)} s`);
  }
  if (options.torch && !await hasTorch(python)) {
    using progress = new Progress("Installing torch from PyPI (several GB)");
    await run([python, "-m", "pip", "install", "--quiet", "torch"]);
    progress.end("Installed torch");
  }
  return python;
}

/** Whether an environment has torch. */
export async function hasTorch(python: string): Promise<boolean> {
  const found = await capture([
    python,
    "-c",
    "import importlib.util as u; print(u.find_spec('torch') is not None)",
  ]);
  return found?.stdout.trim() === "True";
}

/** Versions of packages, by name. */
export async function versionsOf(python: string): Promise<ReadonlyMap<string, string>> {
  const listed = JSON.parse(await run([python, "-m", "pip", "list", "--format", "json"]));
  return new Map(
    listed.map((
      { name, version }: { name: string; version: string },
    ) => [name.replaceAll("_", "-"), version]),
  );
}

/** Compiles Java's client into `folder`. Undefined where no JDK is there; else Java's version. */
export async function compileJava(folder: string): Promise<string | undefined> {
  const [javac, java] = ["javac", "java"].map((name) => findOnPath(name));
  if (javac === undefined || java === undefined) return undefined;
  await run([javac, "-d", folder, pathOf(new URL("./java/Client.java", import.meta.url))]);
  return /\d[\d.]*/.exec(await run([java, "--version"]))?.[0];
}
