import { assertEquals } from "@std/assert";
import {
  COMMAND,
  GRANITE_THOUGHTS,
  MAGISTRAL,
  THINK,
  type ThoughtFormat,
  thoughtFormatOf,
  type ThoughtsAt,
  thoughtsAt,
} from "./format.ts";
import { ThoughtParser } from "./parser.ts";

function read(parts: readonly string[], format: ThoughtFormat, at: ThoughtsAt) {
  const parser = new ThoughtParser(format, at);
  const pieces = [...parts.flatMap((part) => parser.push(part)), ...parser.end()];
  const joined = (kind: string) =>
    pieces.filter((piece) => piece.kind === kind).map(({ text }) => text).join("");
  return [joined("thought"), joined("text")];
}

/** What models write, and what of it is thought and said. */
const TRANSCRIPTS: readonly [ThoughtFormat, ThoughtsAt, string, string, string][] = [
  [THINK, "either", "<think>\nHm, 1 < 2.\n\nSo.\n</think>\n\nIt is.\n", "Hm, 1 < 2.\n\nSo.", "It is.\n"],
  [THINK, "inside", "\nHm </thin> no\n</think>\n\nIt is.", "Hm </thin> no", "It is."],
  [THINK, "either", "\n<think></think>\nYes", "", "Yes"],
  [THINK, "either", " <thin air> <think>a</think>", "", " <thin air> <think>a</think>"],
  [THINK, "either", "  Plain\n", "", "  Plain\n"],
  [THINK, "either", "<think>a</think>b</think>c", "a", "b</think>c"],
  [GRANITE_THOUGHTS, "either", "<think>a</think><response>b <c</response>", "a", "b <c"],
  [THINK, "outside", "\nb <think>", "", "\nb <think>"],
  [THINK, "inside", "cut short \n", "cut short", ""],
  [THINK, "either", "<think", "", "<think"],
  [MAGISTRAL, "either", "[THINK]a [1][/THINK]b", "a [1]", "b"],
  [
    COMMAND,
    "outside",
    "<|START_RESPONSE|>b<|END_RESPONSE|>",
    "",
    "b",
  ],
];

Deno.test("ThoughtParser reads what models write, cut at any place", () => {
  for (const [format, at, transcript, thought, text] of TRANSCRIPTS) {
    assertEquals(read([transcript], format, at), [thought, text], transcript);
    for (let cut = 1; cut < transcript.length; cut++) {
      const parts = [transcript.slice(0, cut), transcript.slice(cut)];
      assertEquals(read(parts, format, at), [thought, text], `${transcript} at ${cut}`);
    }
    assertEquals(read([...transcript], format, at), [thought, text]);
  }
});

Deno.test("thoughtFormatOf() and thoughtsAt() tell it from the template and its prompt", () => {
  assertEquals(thoughtFormatOf("{{ messages }}"), undefined);
  assertEquals(thoughtFormatOf("{{ content.split('</think>') }}"), THINK);
  assertEquals(thoughtFormatOf("<think></think> and <response></response>"), GRANITE_THOUGHTS);
  assertEquals(thoughtFormatOf("{{ '[THINK]' }}"), MAGISTRAL);
  assertEquals(thoughtFormatOf("<|channel|>analysis<|message|>")?.name, "harmony");
  assertEquals(thoughtsAt(THINK, "<|im_start|>assistant\n<think>\n"), "inside");
  assertEquals(thoughtsAt(THINK, "<|im_start|>assistant\n<think>\n\n</think>\n\n"), "outside");
  assertEquals(thoughtsAt(THINK, "<|im_start|>assistant\n"), "either");
});
