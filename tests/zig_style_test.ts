/** What `zig fmt` leaves to us in the kernels' sources. */

import { assertEquals } from "@std/assert";
import { ROOT } from "../src/setup/paths.ts";

const LINE_MAX = 128;
const FILE_LINES_MAX = 500;

function* zigFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* zigFiles(`${folder}/${name}`);
    else if (name.endsWith(".zig")) yield `${folder}/${name}`;
  }
}

Deno.test(`comments in Zig have lines of at most ${LINE_MAX} characters, files of at most ${FILE_LINES_MAX} lines`, () => {
  const found: string[] = [];
  for (const path of zigFiles(`${ROOT}/kernels/src`)) {
    const lines = Deno.readTextFileSync(path).split("\n");
    if (lines.length - 1 > FILE_LINES_MAX) found.push(`${path}: ${lines.length - 1} lines`);
    lines.forEach((line, index) => {
      const isComment = line.trimStart().startsWith("//");
      if (isComment && [...line].length > LINE_MAX) found.push(`${path}:${index + 1}`);
    });
  }
  assertEquals(found, []);
});
