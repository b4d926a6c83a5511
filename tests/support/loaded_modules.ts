/** Which modules a module brings along. @module */

/** Imports and exports with their names, as `deno fmt` writes them. */
const STATIC = /^(?:import|export) ([^;"]*?)\s*from "([^"]+)";/gm;
const LATER = /(?:\bimport\(|new URL\()"([^"]+\.ts)"/g;

/**
 * URLs of the modules that are loaded with one; packages as `package:NAME`. Types are not loaded. `later`:
 * those, too, that are imported or started when they are needed.
 */
export async function loadedModules(entry: URL, options: { later?: boolean } = {}): Promise<Set<string>> {
  const loaded = new Set<string>();
  const open = [entry];
  for (let url = open.pop(); url !== undefined; url = open.pop()) {
    if (loaded.has(url.href)) continue;
    loaded.add(url.href);
    if (url.protocol !== "file:") continue;
    const text = await Deno.readTextFile(url);
    const specifiers = [...text.matchAll(STATIC)].filter(([, names]) => !isTypes(names)).map(([, , from]) =>
      from
    );
    if (options.later) specifiers.push(...[...text.matchAll(LATER)].map(([, specifier]) => specifier));
    for (const specifier of specifiers) {
      const isPath = /^\.{1,2}\//.test(specifier);
      open.push(isPath ? new URL(specifier, url) : new URL(`package:${specifier}`));
    }
  }
  return loaded;
}

function isTypes(names: string): boolean {
  return names.startsWith("type ") || /^\{(?:\s*type \w+(?: as \w+)?,?)+\s*\}$/.test(names);
}
