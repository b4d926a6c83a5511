import { assertEquals } from "@std/assert";
import { AnswerOutput } from "./answer_output.ts";

const ANSWER = ["a\x1b[31mred\x1b]0;ti", "tle\x07\x1b", "[2J\r", "b"];

function shown(isTerminal: boolean): string {
  let text = "";
  const output = new AnswerOutput(isTerminal, (part) => text += part);
  for (const part of ANSWER) output.write(part);
  output.end();
  return text;
}

Deno.test("AnswerOutput writes to a pipe exactly the answer, to a terminal what is harmless there", () => {
  assertEquals(shown(false), ANSWER.join(""));
  assertEquals(shown(true), "a\x1b[31mred\\u001b]0;title\\u0007\\u001b[2J\\rb\x1b[0m");
});
