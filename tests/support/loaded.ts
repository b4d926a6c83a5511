/** What a program loads with a module. @module */

/**
 * URLs of the modules, and names of packages. Types are no reason to load anything, and what is imported
 * later is not there yet.
 */
export async function loadedBy(module: URL): Promise<Set<string>> {
  const seen = new Set<string>();
  const load = async (url: URL) => {
    if (seen.has(url.href)) return;
    seen.add(url.href);
    const source = await Deno.readTextFile(url);
    for (
      const [, names, from] of source.matchAll(
        /^(?:import|export) ([^;"]*?) ?from "([^"]+)";$/gms,
      )
    ) {
      const isTypes = names.startsWith("type ") ||
        /^\{.*\}$/s.test(names) &&
          names.slice(1, -1).split(",").every((name) => /^\s*(?:type |$)/.test(name));
      if (isTypes) continue;
      if (from.startsWith(".")) await load(new URL(from, url));
      else seen.add(from);
    }
  };
  await load(module);
  return seen;
}
