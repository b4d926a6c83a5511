import { assertEquals } from "@std/assert";
import { LogLines } from "./log_lines.ts";

Deno.test("LogLines passes on lines however they come, harmless and not too long, and keeps the last ones", async () => {
  const lines: string[] = [];
  const log = new LogLines((line) => lines.push(line), 2);
  assertEquals(log.lastWords, "");
  await log.read(
    ReadableStream.from(["one\ntw", "o\n\n", "\x1b]0;title\x07three\r\n", "x".repeat(5000), "\nlast"])
      .pipeThrough(new TextEncoderStream()),
  );
  assertEquals(lines.slice(0, 3), ["one", "two", "\\u001b]0;title\\u0007three"]);
  assertEquals([lines.length, lines[3].length, lines[4]], [5, 2000, "last"]);
  assertEquals(log.lastWords, `${lines[3]} | last`);
});
