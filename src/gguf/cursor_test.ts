import { assertEquals, assertThrows } from "@std/assert";
import { Cursor } from "./cursor.ts";
import { GgufError } from "./error.ts";

/** Strings as a file has them: u64 length, then bytes. */
function encoded(strings: readonly Uint8Array[]): Cursor {
  const bytes = new Uint8Array(strings.reduce((sum, { length }) => sum + 8 + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const string of strings) {
    view.setUint32(at, string.length, true);
    bytes.set(string, at + 8);
    at += 8 + string.length;
  }
  const readAt = (offset: number, target: Uint8Array) =>
    target.set(bytes.subarray(offset, offset + target.length));
  return new Cursor({ bytes: bytes.length, readAt, close() {} });
}

const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("Cursor.texts() gives each string as it is, whatever it holds", () => {
  const separator = "\0\0\0\0\0\0\0\x01";
  const plain = [
    "a",
    "",
    "Ġthe",
    "😀",
    "\0",
    "\0\0\0",
    "\x01",
    "",
    "\uFEFFx",
    "end\0\0\0\0",
    "\0\0\0\0\x01b",
  ];
  const long = "x".repeat(300_000); // does not fit in the window
  const many = Array.from({ length: 40_000 }, (_, i) => `token ${i}`); // several windows
  for (
    const strings of [
      plain,
      [...plain, `a${separator}b`, "c"],
      [separator, separator],
      [long, "a", long],
      many,
    ]
  ) {
    assertEquals(encoded(strings.map(utf8)).texts(strings.length, "list").strings(), strings);
  }
});

Deno.test("Cursor.texts() names the string that is not UTF-8", () => {
  const halves = [utf8("ok"), Uint8Array.of(0xc3), Uint8Array.of(0xa9)];
  assertThrows(() => encoded(halves).texts(3, "list"), GgufError, "list[1] is not valid UTF-8");
  const last = [utf8("\0\0\0\0\0\0\0\x01"), utf8("é"), Uint8Array.of(0xff)];
  assertThrows(() => encoded(last).texts(3, "list"), GgufError, "list[2] is not valid UTF-8");
});
