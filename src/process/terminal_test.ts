import { assertEquals } from "@std/assert";
import { AnswerFilter } from "../cli/answer_filter.ts";
import { harmless, indented, oneLine } from "./harmless.ts";

/** What others tried on terminals, and what is shown of it. */
const ATTACKS: readonly (readonly [name: string, text: string, shown: string])[] = [
  ["window title", "\x1b]0;root@bank\x07", "\\u001b]0;root@bank\\u0007"],
  ["clipboard", "\x1b]52;c;cm0gLXJm\x1b\\", "\\u001b]52;c;cm0gLXJm\\u001b\\"],
  ["link", "\x1b]8;;http://a\x1b\\b", "\\u001b]8;;http://a\\u001b\\b"],
  ["clear", "\x1b[2J\x1b[H", "\\u001b[2J\\u001b[H"],
  ["answerback", "\x1b[c\x05", "\\u001b[c\\u0005"],
  ["reset", "\x1bc", "\\u001bc"],
  ["device control", "\x1bP$qm\x1b\\", "\\u001bP$qm\\u001b\\"],
  ["the same with one character", "\x9d0;t\x9c\x9b2J", "\\u009d0;t\\u009c\\u009b2J"],
  ["backspace", "yes\b\b\bno\x7f", "yes\\b\\b\\bno\\u007f"],
  ["carriage return", "evil\rgood", "evil\\rgood"],
  ["override", "a\u202egpj.exe\u202c", "a\\u202egpj.exe"],
];

Deno.test("harmless() writes out what would steer a terminal", () => {
  for (const [name, text, shown] of ATTACKS) {
    const all = name === "override" ? `${shown}\\u202c` : shown;
    assertEquals(harmless(text), all, name);
    assertEquals(oneLine(text), all, name);
  }
  assertEquals(harmless("a\tb\nc"), "a\tb\nc");
  assertEquals(oneLine("a\tb\nkumi: ready"), "a\\tb\\nkumi: ready");
  assertEquals(oneLine("a\u2028b\u{e0041}"), "a\\u2028b\\udb40\\udc41");
  assertEquals(oneLine("組 é 👩‍🚀 می‌خواهم"), "組 é 👩‍🚀 می‌خواهم");
  assertEquals(oneLine("abcdef", 4), "abc…");
  assertEquals(indented("a\nkumi: b\x1b"), "a\n  kumi: b\\u001b");
});

Deno.test("harmless() keeps the meaning of JSON", () => {
  const value = Object.fromEntries(ATTACKS.map(([name, text]) => [`${name}${text}`, `${text}\u{e0041}\n`]));
  const text = harmless(JSON.stringify(value));
  assertEquals(JSON.parse(text), value);
  assertEquals(text, oneLine(text));
  assertEquals(JSON.parse(harmless(JSON.stringify(value, null, 2))), value);
});

Deno.test("AnswerFilter passes lines and colours, however the answer is cut, and writes out the rest", () => {
  const good = "a\tb\r\n\x1b[1;38;5;196mred\x1b[0m\x1b[m 組 \u2067אב\u2069\n";
  for (const [name, text, shown] of [["plain", "", ""], ...ATTACKS]) {
    // An override's end does nothing by itself.
    const wanted = good + (name === "override" ? `${shown}\u202c` : shown) + good;
    const whole = good + text + good;
    for (let first = 0; first <= whole.length; first++) {
      for (const second of [first + 1, first + 2, whole.length]) {
        const filter = new AnswerFilter();
        const parts = [whole.slice(0, first), whole.slice(first, second), whole.slice(second)];
        assertEquals(parts.map((part) => filter.write(part)).join("") + filter.end(), wanted, name);
      }
    }
  }
});

Deno.test("AnswerFilter holds back no more than the start of a colour and ends colours with the answer", () => {
  const filter = new AnswerFilter();
  assertEquals(filter.write("text"), "text");
  assertEquals(filter.write("\x1b[31"), "");
  assertEquals(filter.write("mred"), "\x1b[31mred");
  assertEquals(filter.write("\x1b["), "");
  assertEquals(filter.end(), "\\u001b[\x1b[0m");
  assertEquals(filter.end(), "");
  assertEquals(filter.write(`\x1b[${"1;".repeat(40)}`), `\\u001b[${"1;".repeat(40)}`);
});

Deno.test("nothing else in src/ prints lines", async () => {
  const found: string[] = [];
  const search = async (folder: URL): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const url = new URL(isDirectory ? `${name}/` : name, folder);
      // What builds kumi runs before there is anything foreign to show.
      if (isDirectory && name !== "setup") await search(url);
      // The page's own code runs in browsers.
      if (!/(?<!_test)\.ts$/.test(name) || url.pathname.endsWith("/src/ui/assets.ts")) continue;
      const lines = (await Deno.readTextFile(url)).split("\n");
      const prints = lines.filter((line) => !/^\s*(\*|\/\/)/.test(line) && /\bconsole\.\w+\(/.test(line));
      if (prints.length > 0) found.push(url.pathname.split("/src/")[1]);
    }
  };
  await search(new URL("../", import.meta.url));
  assertEquals(found, ["process/print.ts"]);
});
