import { assertEquals } from "@std/assert";
import { loadedBy } from "../../tests/support/loaded.ts";

const here = (path: string) => loadedBy(new URL(path, import.meta.url));

Deno.test("a caller's thread loads neither the template language nor what its workers run", async () => {
  const loaded = await here("model.ts");
  const inRoom = (room: string) => [...loaded].filter((each) => each.includes(`/src/${room}/`));
  assertEquals([...loaded].filter((each) => each.includes("jinja")), []);
  for (const room of ["engine", "runner", "layers"]) assertEquals([room, inRoom(room)], [room, []]);
  // The search finds what there is to find.
  assertEquals(inRoom("protocol").some((each) => each.endsWith("/options/load.ts")), true);
  const engine = await here("../engine/worker.ts");
  assertEquals([...engine].some((each) => each.includes("jinja")), true);
});
