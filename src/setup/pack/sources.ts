/** The modules of the packages: those that their entries and workers import. @module */

import { posix } from "node:path";
import ts from "npm:typescript@5.9.3";
import { LOCAL_MAP } from "../import_map.ts";
import { ROOT } from "../paths.ts";

/** Names and texts of modules; names are paths in the checkout: `src/client/model.ts`. */
export type Sources = ReadonlyMap<string, string>;

/** Modules that are started by their URL: `new URL("./worker.ts", import.meta.url)`. */
export const MODULE_URL = /new URL\("(\.{1,2}\/[^"]+\.ts)", import\.meta\.url\)/g;

/** The specifiers that a module imports, types included. */
export function importsOf(text: string): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
}

/** The name of the module that a relative specifier means. */
export function resolveName(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/**
 * Reads `entries` and all that they import from one another. `replaced` gives modules another text than their
 * file's. Throws Deno.errors.NotFound where a module is missing.
 */
export async function readSources(entries: readonly string[], replaced: Sources): Promise<Sources> {
  const sources = new Map<string, string>();
  const open = [...entries];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (sources.has(name)) continue;
    const text = replaced.get(name) ?? await Deno.readTextFile(`${ROOT}/${name}`);
    sources.set(name, text);
    const imported = importsOf(text).filter((specifier) => /^\.{1,2}\//.test(specifier));
    const started = [...text.matchAll(MODULE_URL)].map(([, specifier]) => specifier);
    for (const specifier of [...imported, ...started]) open.push(resolveName(name, specifier));
  }
  return new Map([...sources].sort(([a], [b]) => a < b ? -1 : 1));
}

/** The packages that modules import by bare names, such as `@huggingface/jinja`. */
export function packagesOf(sources: Sources): string[] {
  const names = new Set([...sources.values()].flatMap(importsOf).filter((name) => /^@?[a-z]/.test(name)));
  return [...names].filter((name) => !/^(?:node|npm|jsr):/.test(name)).sort();
}

const STAND_INS = "src/setup";

/**
 * The modules with what they import from JSR replaced by the stand-ins of the checkout, which are added: a
 * package of npm can depend on packages of npm alone.
 */
export async function withStandIns(sources: Sources): Promise<Sources> {
  const { imports } = JSON.parse(await Deno.readTextFile(LOCAL_MAP)) as { imports: Record<string, string> };
  const own = Object.entries(imports).filter(([, target]) => target.startsWith("./"));
  const wanted = new Set(packagesOf(sources));
  const complete = new Map(sources);
  for (const [name, target] of own) {
    if (!wanted.has(name)) continue;
    const standIn = posix.join(STAND_INS, target);
    complete.set(standIn, await Deno.readTextFile(`${ROOT}/${standIn}`));
    for (const [path, text] of sources) {
      const relative = posix.relative(posix.dirname(path), standIn);
      const specifier = relative.startsWith(".") ? relative : `./${relative}`;
      const before = complete.get(path) ?? text;
      complete.set(path, before.replaceAll(`from "${name}"`, `from "${specifier}"`));
    }
  }
  return complete;
}
