import { assertEquals } from "@std/assert";

/** What would make a decision depend on more than its inputs, or on code outside. */
const IMPURE =
  /Math\.random|crypto\.|\bDate\b|performance\.|\bDeno\.|setTimeout|setInterval|queueMicrotask|from "(?!\.\/)/;

Deno.test("scheduler/ uses no clock, no randomness, no I/O and nothing outside its folder", async () => {
  const folder = new URL("./", import.meta.url);
  const found: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith("_test.ts")) continue;
    const lines = (await Deno.readTextFile(new URL(name, folder))).split("\n");
    lines.forEach((line, i) => IMPURE.test(line) && found.push(`${name}:${i + 1}: ${line.trim()}`));
  }
  assertEquals(found, []);
});
