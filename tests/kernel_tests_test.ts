/** Whether the kernels' tests are run at all. */

import { assert, assertEquals } from "@std/assert";
import { ROOT } from "../src/setup/paths.ts";

async function zigSources(folder: string): Promise<Map<string, string>> {
  const sources = new Map<string, string>();
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) { for (const [inner, text] of await zigSources(path)) sources.set(inner, text); }
    else if (name.endsWith(".zig")) sources.set(path, await Deno.readTextFile(path));
  }
  return sources;
}

Deno.test("every file of Zig tests is imported by another one", async () => {
  const sources = await zigSources(`${ROOT}/kernels/src`);
  const tests = sources.keys().filter((path) => path.endsWith("_test.zig")).toArray();
  assert(tests.length > 10);
  const forgotten = tests.filter((path) => {
    const name = path.replace(/^.*\//, "");
    return !sources.entries().some(([other, text]) =>
      other !== path && new RegExp(`@import\\("([^"]*/)?${name}"\\)`).test(text)
    );
  });
  assertEquals(forgotten, []);
});
