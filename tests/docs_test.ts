/**
 * Whether README and the pages of docs/ say what is there: links, paths, tasks, commands, flags, variables. Their examples in
 * TypeScript are run by `deno test --doc`.
 */

import { assert, assertEquals } from "@std/assert";
import { main } from "../src/cli/main.ts";
import { OPTIONS_PAGE, optionsPage } from "./options_page.ts";
import { kvFormatNames, weightFormatNames } from "../src/gguf/mod.ts";
import { supportedArchitectures } from "../src/models/registry.ts";
import { ROOT } from "../src/setup/paths.ts";
import {
  codeSpansOf,
  type CommandLine,
  commandsOf,
  headingsOf,
  linksOf,
  type Page,
  pathsOf,
  readPages,
} from "./support/pages.ts";

/** Lines that README may have: it is a page. */
const README_LINES_MAX = 150;

/** What a task's own flags are looked for in. */
const TASK_SOURCES: Readonly<Record<string, string>> = {
  build: "src/setup/task.ts",
  pack: "src/setup/pack/main.ts",
  sim: "tests/sim/main.ts",
  test: "tests/run.ts",
};

/** Flags of other programs that pages name without their program. */
const FOREIGN_FLAGS = /^--(allow-.*|init|doc|batch_size|include_path|model_args)$/;

const pages = await readPages();
const pageAt = new Map(pages.map((page) => [page.path, page]));
/** Not what only a build makes. */
const topLevel = new Set(
  Array.from(Deno.readDirSync(ROOT), ({ name }) => name).filter((name) => !/^\.(build|tools)$/.test(name)),
);

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(`${ROOT}/${path}`).then(() => true, () => false);
}

/** Collects what is wrong on every page, so that a failure names all of it. */
async function wrong(of: (page: Page) => Iterable<string> | Promise<Iterable<string>>): Promise<string[]> {
  const found = await Promise.all(pages.map(async (page) => {
    return Array.from(await of(page), (what) => `${page.path}: ${what}`);
  }));
  return found.flat();
}

/** What the command line prints. */
async function help(...args: string[]): Promise<string> {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => lines.push(line);
  try {
    assertEquals(await main([...args, "--help"]), 0);
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

/** Each command's help text. */
async function readHelp(): Promise<Map<string, string>> {
  const names = [...(await help()).matchAll(/^ {2}([a-z]+) {2}/gm)].map(([, name]) => name);
  assert(names.length >= 9, names.join());
  const texts = new Map<string, string>();
  for (const name of names) texts.set(name, await help(name));
  return texts;
}

const commandHelp = await readHelp();

/** Texts of the source files below a folder whose names match, joined. */
async function sourcesOf(folder: string, names = /\.(ts|zig)$/): Promise<string> {
  const texts: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}/${folder}`)) {
    const path = `${folder}/${name}`;
    if (isDirectory) texts.push(await sourcesOf(path, names));
    else if (names.test(name)) texts.push(await Deno.readTextFile(`${ROOT}/${path}`));
  }
  return texts.join("\n");
}

/** Whether a text tells of a flag: as its help does, or as a table of options does. */
function tells(text: string, flag: string): boolean {
  return new RegExp(`${flag}(?![\\w-])|name: "${flag.slice(2)}"`).test(text);
}

function flagsOf(words: CommandLine): string[] {
  const end = words.indexOf("--");
  const own = end < 0 ? words : words.slice(0, end);
  return own.filter((word) => /^--[a-z]/.test(word)).map((word) => word.replace(/=.*/s, ""));
}

/** What is wrong about the arguments of a command of kumi. */
function wrongInKumi([name, ...args]: CommandLine): string[] {
  if (name === undefined || /^[…<]|^--/.test(name)) return [];
  const text = commandHelp.get(name);
  if (text === undefined) return [`kumi ${name}: no such command`];
  return flagsOf(args).filter((flag) => flag !== "--help" && !tells(text, flag)).map((flag) =>
    `kumi ${name} ${flag}`
  );
}

async function wrongInTask([task, ...args]: CommandLine, tasks: ReadonlySet<string>): Promise<string[]> {
  if (task === undefined || task === "NAME") return [];
  if (!tasks.has(task)) return [`deno task ${task}: no such task`];
  if (task === "kumi") return wrongInKumi(args);
  if (task === "chat" || task === "serve") return wrongInKumi([task, ...args]);
  const file = task === "run" ? args[0] : TASK_SOURCES[task];
  if (file === undefined || !/^[a-z]/.test(file)) return [];
  const text = await Deno.readTextFile(`${ROOT}/${file}`).catch(() => null);
  if (text === null) return [`deno task ${task}: no file ${file}`];
  const unknown = flagsOf(args).filter((flag) => flag !== "--help" && !tells(text, flag));
  return unknown.map((flag) => `deno task ${task} ${flag}`);
}

Deno.test("every link of a page leads to a file, and to a heading of it", async () => {
  const found = await wrong(async (page) => {
    const bad: string[] = [];
    for (const { target, path, heading } of linksOf(page)) {
      const there = pageAt.get(path);
      if (!await exists(path)) bad.push(`no file for (${target})`);
      else if (heading !== undefined && !(there && headingsOf(there).has(heading))) {
        bad.push(`no heading for (${target})`);
      }
    }
    return bad;
  });
  assertEquals(found, []);
  assert(pages.flatMap(linksOf).length > 100);
});

Deno.test("every path that a page names exists", async () => {
  const found = await wrong(async (page) => {
    const folder = page.path.replace(/[^/]*$/, "");
    const bad: string[] = [];
    for (const path of pathsOf(page, topLevel)) {
      // Of a name that stands for any, or for many, the folder must be there.
      const known = /NAME|\*/.test(path) ? path.replace(/[^/]*(NAME|\*).*$/, "") : path;
      const places = [known, new URL(known, `file:///${folder}`).pathname.slice(1)];
      const there = await Promise.all(places.map(exists));
      // Beside the checkout is what a checkout need not have.
      if (!there.includes(true) && !known.startsWith("../shared/")) bad.push(path);
    }
    return bad;
  });
  assertEquals(found, []);
  assert(pages.flatMap((page) => pathsOf(page, topLevel)).length > 50);
});

Deno.test("every task, command and flag that a page names is there", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  const names = new Set(Object.keys(tasks));
  const programs = ["src/setup", "bench", "tests"].map((folder) => sourcesOf(folder, /(?<!_test)\.ts$/));
  const known = [...commandHelp.values(), ...await Promise.all(programs)].join("\n");
  let checked = 0;
  const found = await wrong(async (page) => {
    const bad: string[] = [];
    for (const words of commandsOf(page)) {
      checked++;
      if (words[0] === "kumi") bad.push(...wrongInKumi(words.slice(1)));
      else if (words[0] === "deno" && words[1] === "task") {
        bad.push(...await wrongInTask(words.slice(2), names));
      } else if (words[0].startsWith("--")) {
        bad.push(...flagsOf(words).filter((flag) => !FOREIGN_FLAGS.test(flag) && !tells(known, flag)));
      }
    }
    return bad;
  });
  assertEquals(found, []);
  assert(checked > 500, String(checked));
});

Deno.test("every variable that a page names is read somewhere", async () => {
  const serve = commandHelp.get("serve")!;
  const folders = ["src", "tests", "bench", "kernels"].map((folder) =>
    sourcesOf(folder, /(?<!docs_test)\.(ts|zig)$/)
  );
  const sources = (await Promise.all(folders)).join("\n");
  const found = await wrong(({ text }) =>
    new Set([...text.matchAll(/\bKUMI_[A-Z_]+\b/g)].map(([name]) => name))
      .values().filter((name) => {
        // The server's variables are made of its settings' names.
        const flag = `--${name.slice("KUMI_".length).toLowerCase().replaceAll("_", "-")}`;
        return !sources.includes(name) && !tells(serve, flag);
      })
  );
  assertEquals(found, []);
});

Deno.test("README is a page and leads to all others", () => {
  const readme = pageAt.get("README.md")!;
  assert(readme.text.trimEnd().split("\n").length <= README_LINES_MAX, "README is too long");
  const linked = new Set(linksOf(readme).map(({ path }) => path));
  assertEquals(pages.map(({ path }) => path).filter((path) => path !== "README.md" && !linked.has(path)), []);
});

Deno.test("README in Japanese has the figures and the commands of the other", () => {
  const [english, japanese] = ["README.md", "README.ja.md"].map((path) => pageAt.get(path)!.text);
  const figures = (text: string) => [...text.matchAll(/\| (\d[\d.,]*×?) +(?=\|)/g)].map(([, value]) => value);
  assert(figures(english).length > 20);
  assertEquals(figures(japanese), figures(english));
  const code = (text: string) =>
    [...text.matchAll(/^```\w+\n(.*?)^```$/gms)].map(([, block]) => block.replace(/ +#.*$/gm, ""));
  const own = code(japanese);
  assertEquals(code(english).filter((block) => !own.includes(block)), []);
});

Deno.test("pages are complete: commands, the server's flags, formats, families, instruction sets", async () => {
  const lacking = (path: string, names: Iterable<string>) => {
    const words = new Set(codeSpansOf(pageAt.get(path)!).concat(pageAt.get(path)!.text.split(/[^\w-]+/)));
    return Array.from(names).filter((name) => !words.has(name)).map((name) => `${path}: ${name}`);
  };
  const commands = pageAt.get("docs/command-line.md")!.text;
  assertEquals(commandHelp.keys().filter((name) => !commands.includes(`| \`${name}`)).toArray(), []);
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  const described = tasks.kumi.description.match(/\w+/g);
  assertEquals(commandHelp.keys().filter((name) => !described.includes(name)).toArray(), []);
  const flags = [...commandHelp.get("serve")!.matchAll(/^ {2}(?:-., | {4})(--[a-z-]+)/gm)].map(([, flag]) =>
    flag
  );
  assert(flags.length > 20);
  assertEquals(flags.filter((flag) => !tells(pageAt.get("docs/server.md")!.text, flag)), []);
  const levels = await Deno.readTextFile(`${ROOT}/kernels/src/isa/levels.zig`);
  const levelNames = [...levels.matchAll(/\.name = "(\w+)"/g)].map(([, name]) => name);
  assert(levelNames.length >= 10);
  assertEquals([
    ...lacking("docs/model-files.md", weightFormatNames.map((name) => name.toUpperCase())),
    ...lacking("docs/model-files.md", kvFormatNames),
    ...lacking("docs/model-files.md", supportedArchitectures),
    ...lacking("docs/systems.md", levelNames),
  ], []);
});

Deno.test("docs/options.md is what the tables of options say: deno task run tests/options_page.ts --write", () => {
  // Formatting aligns tables.
  const plain = (text: string) => text.replace(/ +/g, " ").replace(/-{3,}/g, "---").trimEnd();
  assertEquals(plain(pageAt.get(OPTIONS_PAGE)!.text), plain(optionsPage()));
});

Deno.test("the page about metrics has all that the server counts, and no others", async () => {
  const { text } = pageAt.get("docs/metrics.md")!;
  const code = await sourcesOf("src/server/metrics");
  const counted = [...code.matchAll(/"((?:vllm|kumi|process)[:_][a-z_]+)"/g)].map(([, name]) => name);
  const told = [...text.matchAll(/`((?:vllm|kumi|process)[:_][a-z_]+)`/g)].map(([, name]) => name);
  assert(counted.length > 30 && told.length > 40);
  assertEquals(counted.filter((name) => !told.some((other) => other.startsWith(name))), []);
  // Names of times are put together: vllm:…_seconds.
  const stem = (name: string) => name.replace(/^vllm:(.*?)(_seconds)?$/, "$1");
  assertEquals(told.filter((name) => !counted.includes(name) && !code.includes(`"${stem(name)}"`)), []);
});
