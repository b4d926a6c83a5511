/** Whether imports go one way, as README says: between rooms, and without circles between files. */

import { assert, assertEquals } from "@std/assert";
import { ROOT } from "../src/setup/paths.ts";

/** A room imports itself and those after it. */
const ROOMS = [
  "src/setup",
  "src/cli",
  "src/trial",
  "src/capacity",
  "src/traffic",
  "src/server",
  "src/ui",
  "src/loadtest",
  "src/ai_sdk",
  "src/client",
  "src/engine",
  "src/runner",
  "src/protocol",
  "src/models",
  "src/layers",
  "src/safetensors",
  "src/tokenizer",
  "src/grammar",
  "src/gguf",
  "src/hub",
  "src/cost",
  "src/routing",
  "src/process",
  "src/energy",
  "src/ffi",
  "scheduler",
];
/** They know of each other only what messages say. */
const APART = [["src/client", "src/engine"], ["src/client", "src/runner"], ["src/server", "src/engine"]];

const roomOf = (path: string) =>
  path.startsWith("src/") ? path.split("/").slice(0, 2).join("/") : path.split("/")[0];

/** Each file of a folder that is no test, and the files that it imports, types included. */
async function importsIn(
  folder: string,
  found = new Map<string, string[]>(),
): Promise<Map<string, string[]>> {
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}/${folder}`)) {
    const path = `${folder}/${name}`;
    if (isDirectory) await importsIn(path, found);
    else if (/(?<!_test)\.ts$/.test(name)) {
      const text = await Deno.readTextFile(`${ROOT}/${path}`);
      const specifiers = text.matchAll(/^\s*(?:import|export|\} from)\b(?:[^;"]*\bfrom)?\s*"(\.[^"]+)";$/gm);
      found.set(path, Array.from(specifiers, ([, to]) => new URL(to, `file:///${path}`).pathname.slice(1)));
    }
  }
  return found;
}

/** Files that lead back to themselves. */
function circleIn(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): string[] => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return [];
    for (const to of imports.get(path) ?? []) {
      const circle = visit(to, [...way, path]);
      if (circle.length > 0) return circle;
    }
    done.add(path);
    return [];
  };
  for (const path of imports.keys()) {
    const circle = visit(path, []);
    if (circle.length > 0) return circle;
  }
  return [];
}

const imports = new Map([...await importsIn("src"), ...await importsIn("scheduler")]);

Deno.test("rooms import only what lies below them", () => {
  const arrows = [...imports].flatMap(([from, all]) => all.map((to) => ({ from, to })));
  assert(imports.size > 250 && arrows.length > 900, `${imports.size} files, ${arrows.length} imports`);
  assertEquals([...new Set(imports.keys().map(roomOf))].sort(), ROOMS.toSorted());
  const up = arrows.filter(({ from, to }) => {
    const [above, below] = [roomOf(from), roomOf(to)];
    return ROOMS.indexOf(below) < ROOMS.indexOf(above) || APART.some(([a, b]) => a === above && b === below);
  });
  assertEquals(up, []);
});

Deno.test("no files import each other in a circle", () => {
  assertEquals(circleIn(new Map([["a", ["b", "c"]], ["b", ["c"]], ["c", ["d"]], ["d", ["b"]]])), [
    "b",
    "c",
    "d",
    "b",
  ]);
  assertEquals(circleIn(imports), []);
});

Deno.test("README's map has every room", async () => {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  assertEquals(ROOMS.filter((room) => !readme.includes(`| [${room}]`)), []);
});
