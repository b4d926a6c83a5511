import { assertEquals } from "@std/assert";
import { HARMONY_THOUGHTS } from "../thoughts/format.ts";
import { AnswerReader, readAnswer, type WholePiece } from "../answer_reader.ts";

const thought = (text: string): WholePiece => ({ kind: "thought", text });
const said = (text: string): WholePiece => ({ kind: "text", text });
const call = (name: string, args: string, index = 0): WholePiece => ({
  kind: "call",
  index,
  name,
  arguments: args,
});
const NEXT = "<|end|><|start|>assistant";

/** What gpt-oss writes, and what it is. */
const TRANSCRIPTS: readonly [string, readonly WholePiece[]][] = [
  [
    `<|channel|>analysis<|message|>Hm, a < b.${NEXT}<|channel|>final<|message|>It is.`,
    [thought("Hm, a < b."), said("It is.")],
  ],
  [
    `<|channel|>analysis<|message|>I call.${NEXT}<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city":"<|x|>"}<|call|>`,
    [thought("I call."), call("weather", '{"city":"<|x|>"}')],
  ],
  [
    ` to=functions.a.b<|channel|>commentary json<|message|>{}<|call|>`,
    [call("a.b", "{}")],
  ],
  [
    `<|channel|>analysis<|message|>a${NEXT}<|channel|>commentary<|message|>One moment.${NEXT}<|channel|>analysis<|message|>b${NEXT}<|channel|>final <|constrain|>json<|message|>{"x":1}<|return|>`,
    [thought("a"), said("One moment."), thought("\nb"), said('\n{"x":1}')],
  ],
  ["<|channel|>final<|message|>cut <|en", [said("cut <|en")]],
  ["No head at all", [said("No head at all")]],
  ["<|channel|>ana", []],
];

Deno.test("AnswerReader reads channels, cut at any place", () => {
  const manner = { thoughts: HARMONY_THOUGHTS };
  const whole = (parts: readonly string[]) => {
    const reader = new AnswerReader(manner, "either");
    const pieces = [...parts.flatMap((part) => reader.push(part)), ...reader.end()];
    // As one part each, which is how whole answers have them.
    const joined: WholePiece[] = [];
    for (const piece of pieces) {
      const last = joined.at(-1);
      if (piece.kind === "call") joined.push({ ...piece, arguments: "" });
      else if (piece.kind === "arguments" && last?.kind === "call") {
        joined[joined.length - 1] = { ...last, arguments: last.arguments + piece.text };
      } else if (piece.kind !== "arguments" && last?.kind === piece.kind) {
        joined[joined.length - 1] = { ...last, text: last.text + piece.text } as WholePiece;
      } else joined.push(piece as WholePiece);
    }
    return joined;
  };
  for (const [transcript, pieces] of TRANSCRIPTS) {
    assertEquals(readAnswer(transcript, manner, "either"), [...pieces], transcript);
    for (let cut = 1; cut < transcript.length; cut++) {
      assertEquals(
        whole([transcript.slice(0, cut), transcript.slice(cut)]),
        [...pieces],
        `${transcript} at ${cut}`,
      );
    }
    assertEquals(whole([...transcript]), [...pieces]);
  }
});

Deno.test("AnswerReader goes on with thoughts that a prompt has begun", () => {
  const text = "on<|end|><|start|>assistant<|channel|>final<|message|>x";
  assertEquals(readAnswer(text, { thoughts: HARMONY_THOUGHTS }, "inside"), [thought("on"), said("x")]);
});
