/** The command line in a few files: the same answers, made once, and made again when a source has changed. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { commandPermissions } from "../src/cli/command_line.ts";
import { ensureBundle, knownBundle, withLateNode, withPlaces } from "../src/setup/bundle.ts";
import { chooseStd, stdFlags } from "../src/setup/import_map.ts";
import { pathOf, ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";

const RUN = [
  "run",
  "--raw",
  "Once upon a time",
  "--model",
  "demo",
  "--max-tokens",
  "12",
  "--temperature",
  "0",
];

async function kumi(main: string, args: readonly string[]): Promise<string> {
  const flags = ["--quiet", "--allow-all", `--config=${ROOT}/deno.json`, ...stdFlags(await chooseStd())];
  const result = await capture([Deno.execPath(), "run", ...flags, main, ...args]);
  assertEquals(result?.code, 0, result?.stderr);
  return result!.stdout;
}

Deno.test("a bundle answers as the modules do, stays while no source changes, and is made again when one did", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const options = { std: await chooseStd(), folder };
    const bundle = await ensureBundle(options);
    if (bundle === undefined) return console.log("skipped: the bundler's compiler is not to be had");
    const { main, commandLine } = bundle;
    assertEquals(await kumi(main, ["--version"]), await kumi(`${ROOT}/src/cli/main.ts`, ["--version"]));
    const answer = await kumi(`${ROOT}/src/cli/main.ts`, RUN);
    assertEquals(await kumi(main, RUN), answer);
    // Lists, and what reads files that lie beside its module.
    assert((await kumi(main, ["inspect", "demo"])).includes("llama"));
    assertEquals(await ensureBundle(options), bundle);
    assertEquals(knownBundle(options), bundle);
    const { commandPermissions: permissions } = await import(`file://${commandLine}`);
    assertEquals(await permissions(RUN), await commandPermissions(RUN));
    const talk = await ensureBundle({ ...options, command: "run" });
    assert(talk !== undefined && talk.main !== main, "it has no files of its own");
    assertEquals(await kumi(talk.main, RUN), answer);
    const wrong = await capture([
      Deno.execPath(),
      "run",
      "--quiet",
      "--allow-all",
      talk.main,
      "run",
      "--top-p",
    ]);
    assertEquals(wrong?.code, 2, "a mistake is known as one");
    assert((await import(`file://${talk.commandLine}`)).commandPermissions !== permissions);
    assertEquals(
      importersOfNode(folder),
      [],
      "they start with a part of Node, which takes longer than their own modules",
    );

    const memory = `${folder}/made.json`;
    const record = JSON.parse(await Deno.readTextFile(memory));
    const old = record.looks.findIndex(([path]: [string]) => !isYoung(`${ROOT}/${path}`));
    if (old >= 0) {
      record.looks[old][1]++; // as if that source had been shorter then
      await Deno.writeTextFile(memory, JSON.stringify(record));
      const again = await ensureBundle(options);
      assert(again !== undefined && again.main !== main);
      assert((await Deno.stat(main)).isFile, "programs that run may still load parts of the last one");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Files of bundles that begin with the module of Node that makes a `require`. */
function importersOfNode(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return importersOfNode(path);
    return /^import .*"node:module";$/m.test(Deno.readTextFileSync(path)) ? [path] : [];
  });
}

const isYoung = (path: string) => Date.now() - Deno.statSync(path).mtime!.getTime() < 11 * 60 * 1000;

Deno.test("ensureBundle() asks a bundler that failed again after a day, and not while a source is being edited", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const key = `${Deno.version.deno} local`;
    const write = (record: unknown) => Deno.writeTextFile(`${folder}/made.json`, JSON.stringify(record));
    const { size, mtime } = await Deno.stat(`${ROOT}/deno.json`);
    await write({ key, atMs: Date.now(), looks: [["deno.json", size, mtime!.getTime()]] });
    assertEquals(await ensureBundle({ std: "local", folder }), undefined);

    const edited = pathOf(new URL("./edited.tmp", `file://${folder}/`));
    await Deno.writeTextFile(edited, "just now");
    const path = `${"../".repeat(ROOT.split("/").length - 1)}${edited.slice(1)}`;
    await write({ key, folder: "/gone", atMs: 0, looks: [[path, 1, 1]] });
    assertEquals(await ensureBundle({ std: "local", folder }), undefined);
    assertEquals([...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("withPlaces() leaves each module where it lay", () => {
  const text = [
    'import { createRequire } from "node:module";',
    "var __require = createRequire(import.meta.url);",
    "// src/a/b.ts",
    'var worker = new URL("../engine/worker.ts", import.meta.url);',
    "// src/c.ts",
    'var file = new URL("../data.bin", import.meta.url), folder = import.meta.dirname;',
  ];
  const found: string[] = [];
  const placed = withPlaces(text.join("\n"), (module) => `/out/${module}`, (module) => found.push(module));
  const url = (path: string) => JSON.stringify(new URL(`file://${path}`).href);
  assertEquals(placed.split("\n"), [
    ...text.slice(0, 3),
    `var worker = new URL(${url("/out/src/engine/worker.ts")});`,
    text[4],
    `var file = new URL("../data.bin", ${url(`${ROOT}/src/c.ts`)}), folder = ${
      JSON.stringify(`${ROOT}/src`)
    };`,
  ]);
  assertEquals(found, ["src/a/b.ts", "src/c.ts"]);
  assertThrows(
    () => withPlaces("var at = import.meta.url;", (module) => module),
    TypeError,
    "no module is named",
  );
});

Deno.test("withLateNode() lets a bundle load Node's modules when they are asked for", async () => {
  const text = [
    'import { createRequire as __own } from "node:module";',
    "var __require = __own(import.meta.url);",
    'export const made = __require("node:path").basename("/a/b");',
  ].join("\n");
  const late = withLateNode(text);
  assert(!/^import/m.test(late), late);
  const module = `data:text/javascript,${encodeURIComponent(late.replace("import.meta.url", '"file:///a"'))}`;
  assertEquals((await import(module)).made, "b");
  assertEquals(withLateNode("var a = 1;"), "var a = 1;");
});
