import { assert, assertEquals } from "@std/assert";
import { randomFrom } from "../../loadtest/random.ts";
import { Budget } from "../error.ts";
import { anyJsonCharacter, jsonCharacters, toBytes, utf8 } from "./bytes.ts";
import { accepts } from "./dfa.ts";
import { searchDfa } from "./regex.ts";

const encoder = new TextEncoder();

Deno.test("utf8() gives the bytes of the code points of a range and no others", () => {
  const random = randomFrom(11);
  const borders = [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000, 0x10ffff];
  for (let i = 0; i < 200; i++) {
    const pick = () =>
      random() < 0.3 ? borders[Math.floor(random() * borders.length)] : Math.floor(random() * 0x110000);
    const [a, b] = [pick(), pick()].sort((x, y) => x - y);
    const sequences = utf8([a, b]);
    for (const c of [a, b, a - 1, b + 1, Math.floor((a + b) / 2), ...borders]) {
      if (c < 0 || c > 0x10ffff || c >= 0xd800 && c <= 0xdfff) continue;
      const bytes = encoder.encode(String.fromCodePoint(c));
      const fits = sequences.some((one) =>
        one.length === bytes.length && one.every(([low, high], k) => low <= bytes[k] && bytes[k] <= high)
      );
      assertEquals(fits, a <= c && c <= b, `${c.toString(16)} in ${a.toString(16)}–${b.toString(16)}`);
    }
  }
});

Deno.test("jsonCharacters() spells texts as JSON.stringify does", () => {
  const dfa = toBytes(searchDfa("^[^x]*$", new Budget(1e5, "")), jsonCharacters, new Budget(1e5, ""));
  for (const text of ["", "abc", 'say "hi"\\', "\u0000\u001f\b\f\n\r\t\u007f", "日本語 😀é", "/"]) {
    assert(accepts(dfa, encoder.encode(JSON.stringify(text).slice(1, -1))), text);
  }
  for (const raw of ['"', "\\", "\n", "\\/", "\\u0041", "x", "\\u000A"]) {
    assert(!accepts(dfa, encoder.encode(raw)), raw);
  }
});

Deno.test("anyJsonCharacter() takes one character in every way that JSON has, and nothing that JSON.parse refuses", () => {
  const ways = [
    "a",
    "é",
    "日",
    "😀",
    "\\n",
    "\\/",
    "\\u00e9",
    "\\uD83D\\uDE00",
    "\\ud7ff",
    "\\uE000",
    "\\\\",
    '\\"',
  ];
  for (const way of ways) {
    assert(accepts(anyJsonCharacter(), encoder.encode(way)), way);
    assertEquals([...JSON.parse(`"${way}"`)].length, 1);
  }
  for (
    const bad of [
      "",
      "ab",
      '"',
      "\\",
      "\\x",
      "\\u12",
      "\\uD83D",
      "\\uDE00",
      "\\uD83Da",
      "\u001f",
      "\\uD83D\\uD83D",
    ]
  ) {
    assert(!accepts(anyJsonCharacter(), encoder.encode(bad)), bad);
  }
});
