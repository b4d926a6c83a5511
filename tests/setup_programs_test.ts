/**
 * Optional programs: found without being started, installed where that is possible, and a sentence where it
 * is not.
 */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { findOnPath } from "../src/process/path_search.ts";
import {
  ensureProgram,
  findProgram,
  missingReason,
  ProgramMissing,
  type ProgramSearch,
} from "../src/setup/programs.ts";
import { ROOT } from "../src/setup/paths.ts";

const ignore = Deno.build.os === "windows"; // the stand-ins are shell scripts

/** A folder with a `bin` of stand-ins, which is the whole PATH. */
async function setUp() {
  const folder = await Deno.makeTempDir({ prefix: "kumi-programs-" });
  const search: ProgramSearch = {
    path: `${folder}/bin`,
    tools: `${folder}/tools`,
    pythons: [[`${folder}/bin/python`]],
    pips: [],
  };
  return {
    folder,
    search,
    async script(path: string, body: string, mode = 0o755): Promise<string> {
      const file = `${folder}/${path}`;
      await Deno.mkdir(file.replace(/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(file, `#!/bin/sh\n${body}\n`, { mode });
      return file;
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test({ ignore, name: "findOnPath() takes programs only, folder after folder" }, async () => {
  await using test = await setUp();
  await test.script("a/tool", "exit 0", 0o644);
  await Deno.mkdir(`${test.folder}/b/tool`, { recursive: true });
  const path = [`${test.folder}/a`, "", `${test.folder}/b`, `${test.folder}/c`].join(":");
  assertEquals(findOnPath("tool", path), undefined);
  const tool = await test.script("c/tool", "exit 0");
  assertEquals(findOnPath(["other", "tool"], path), tool);
  assertEquals(findOnPath("tool", ""), undefined);
});

Deno.test({ ignore, name: "findProgram() takes PATH before the checkout, and starts nothing" }, async () => {
  await using test = await setUp();
  assertEquals(findProgram("hyperfine", test.search), undefined);
  const own = await test.script("tools/hyperfine-2.0.0/bin/hyperfine", "exit 1");
  assertEquals(findProgram("hyperfine", test.search), own);
  const found = await test.script("bin/hyperfine", `touch ${test.folder}/started`);
  assertEquals(findProgram("hyperfine", test.search), found);
  await assertRejects(() => Deno.stat(`${test.folder}/started`), Deno.errors.NotFound);
});

Deno.test({ ignore, name: "ensureProgram() installs with pip into the checkout, once" }, async () => {
  await using test = await setUp();
  // python -m pip install --no-deps --no-compile --target FOLDER …
  await test.script(
    "bin/python",
    `mkdir -p "$7/bin"; echo install >> ${test.folder}/log; : > "$7/bin/hyperfine"`,
  );
  const path = `${test.folder}/tools/hyperfine-2.0.0/bin/hyperfine`;
  const both = await Promise.all([
    ensureProgram("hyperfine", test.search),
    ensureProgram("hyperfine", test.search),
  ]);
  assertEquals(both, [path, path]);
  assertEquals(await ensureProgram("hyperfine", test.search), path);
  assertEquals(await Deno.readTextFile(`${test.folder}/log`), "install\n");
});

Deno.test({ ignore, name: "ensureProgram() says why a program cannot be had, and what to do" }, async () => {
  await using test = await setUp();
  const message = async (name: "hyperfine" | "qemu") =>
    (await assertRejects(() => ensureProgram(name, test.search), ProgramMissing)).message;
  assertStringIncludes(
    await message("hyperfine"),
    "python -m pip: not found (Debian, Ubuntu: apt-get install hyperfine)",
  );
  await test.script("bin/python", "echo No matching distribution >&2; exit 1");
  assertStringIncludes(await message("hyperfine"), "No matching distribution");
  await test.script("bin/python", 'mkdir -p "$7"');
  assertStringIncludes(await message("hyperfine"), "the package has no bin/hyperfine");
  assertEquals(
    await message("qemu"),
    "qemu-aarch64 is not installed (Debian, Ubuntu: apt-get install qemu-user)",
  );
  assertEquals(missingReason("curl"), "curl is not installed (Debian, Ubuntu: apt-get install curl)");
  for await (const entry of Deno.readDir(`${test.folder}/tools`)) throw new Error(`left ${entry.name}`);
});

Deno.test("no test file starts a program while it is loaded", async () => {
  // One that is missing would take all tests of the file with it.
  const starts =
    /^(?:const|let|await|export const) [^\n]*(?:await [^\n]*(?:Deno\.Command|capture\(|chooseStd\(|ensure[A-Z]\w*\()|Deno\.Command\([^\n]*\.output)/m;
  for await (const path of testFiles(ROOT)) {
    assertEquals(starts.exec(await Deno.readTextFile(path))?.[0], undefined, path);
  }
});

async function* testFiles(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (name.startsWith(".") || name === "node_modules") continue;
    if (isDirectory) yield* testFiles(`${folder}/${name}`);
    else if (name.endsWith("_test.ts")) yield `${folder}/${name}`;
  }
}
