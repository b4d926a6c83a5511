import { assertEquals } from "@std/assert";

/** The modules that a program loads with this one. Types are no reason to load anything. */
async function loadedBy(path: string): Promise<Set<string>> {
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
  await load(new URL(path, import.meta.url));
  return seen;
}

Deno.test("a caller's thread loads neither the template language nor what its workers run", async () => {
  const loaded = await loadedBy("model.ts");
  const inRoom = (room: string) => [...loaded].filter((each) => each.includes(`/src/${room}/`));
  assertEquals([...loaded].filter((each) => each.includes("jinja")), []);
  for (const room of ["engine", "runner", "layers"]) assertEquals([room, inRoom(room)], [room, []]);
  // The search finds what there is to find.
  assertEquals(inRoom("protocol").some((each) => each.endsWith("/options/load.ts")), true);
  const engine = await loadedBy("../engine/worker.ts");
  assertEquals([...engine].some((each) => each.includes("jinja")), true);
});
