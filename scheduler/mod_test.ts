import { assertEquals } from "@std/assert";

/** What would make a decision depend on more than its inputs, or on code outside. */
const IMPURE =
  /Math\.random|crypto\.|\bDate\b|performance\.|\bDeno\.|setTimeout|setInterval|queueMicrotask|from "(?!\.\/)/;
/** Tests, and what they share, may ask more of the world, but nothing of the folders around this one. */
const OUTSIDE = /^(?:import|export|}).* from "(?!\.\/[\w/]+\.ts"|\.\.\/mod\.ts"|@std\/)/;

async function linesLike(
  pattern: RegExp,
  folder: URL,
  isWanted: (name: string) => boolean,
): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile || !isWanted(name)) continue;
    const lines = (await Deno.readTextFile(new URL(name, folder))).split("\n");
    lines.forEach((line, i) => pattern.test(line) && found.push(`${name}:${i + 1}: ${line.trim()}`));
  }
  return found;
}

Deno.test("scheduler/ uses no clock, no randomness, no I/O and nothing outside its folder", async () => {
  const folder = new URL("./", import.meta.url);
  const isTest = (name: string) => name.endsWith("_test.ts");
  assertEquals(await linesLike(IMPURE, folder, (name) => !isTest(name)), []);
  assertEquals(await linesLike(OUTSIDE, folder, (name) => isTest(name)), []);
  assertEquals(await linesLike(OUTSIDE, new URL("testing/", folder), () => true), []);
});
