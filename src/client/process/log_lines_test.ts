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

Deno.test("LogLines keeps what a process said before its stack", async () => {
  const log = new LogLines(() => {}, 2);
  const said =
    "error: no map\n\nCaused by:\n    not found\n\nStack backtrace:\n   0: <unknown>\n   1: main\n";
  await log.read(ReadableStream.from([said]).pipeThrough(new TextEncoderStream()));
  assertEquals(log.lastWords, "Caused by: |     not found");
});
