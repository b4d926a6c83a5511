/** What a program loads with the library. */
import { assertEquals } from "@std/assert";
import { loadedBy } from "./support/loaded.ts";

const isPackage = (name: string) => !/^(file|node):/.test(name);

Deno.test("mod.ts loads no package: a server's come when it begins, a model's in its workers", async () => {
  const loaded = [...await loadedBy(new URL("../mod.ts", import.meta.url))];
  assertEquals(loaded.some((name) => name.endsWith("/src/server/dialects/endpoints.ts")), true);
  assertEquals(loaded.filter(isPackage), []);
  assertEquals([...await loadedBy(new URL("../src/ai_sdk/mod.ts", import.meta.url))].filter(isPackage), []);
  const chat = await loadedBy(new URL("../src/server/dialects/chat.ts", import.meta.url));
  assertEquals([...chat].filter(isPackage), ["zod"]);
});
