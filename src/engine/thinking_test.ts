import { assertEquals } from "@std/assert";
import { byteLevelMetadata } from "../../tests/support/vocabularies.ts";
import { HARMONY_THOUGHTS, THINK, type ThoughtFormat } from "../grammar/thoughts/format.ts";
import { createTokenizer } from "../tokenizer/tokenizer.ts";
import type { Constraint } from "./constraints.ts";
import { Thinking } from "./thinking.ts";

const CONTROLS = [
  "<|im_start|>",
  "<think>",
  "</think>",
  "<|channel|>",
  "<|message|>",
  "<|start|>",
  "<|end|>",
];
const tokenizer = createTokenizer(byteLevelMetadata([], CONTROLS));
const plain = createTokenizer(byteLevelMetadata([], ["<|im_start|>"]));
const encode = (text: string, by = tokenizer) => by.encode(text, { parseSpecial: true });

/** Follows an answer; what is counted, and what was said after which tokens. */
function follow(prompt: string, answer: string, by = tokenizer, format: ThoughtFormat = THINK) {
  const thinking = new Thinking({ format, tokenizer: by, promptTokens: encode(prompt, by) });
  const states = encode(answer, by).map((id) => {
    thinking.push(id);
    return thinking.isSaid;
  });
  return { at: thinking.at, tokens: thinking.tokens, states };
}

Deno.test("Thinking counts what is thought, whether marks are tokens or bytes", () => {
  assertEquals(follow("<|im_start|>a\n", "<think>ab</think>\nc"), {
    at: "either",
    tokens: 4,
    states: [false, false, false, false, false, true],
  });
  assertEquals(follow("<|im_start|>a\n<think>\n", "ab</think>c").tokens, 3);
  assertEquals(follow("<|im_start|><think>\n\n</think>\n\n", "abc"), {
    at: "outside",
    tokens: 0,
    states: [true, true, true],
  });
  const bytes = follow("<|im_start|>", "<think>ab</think>c", plain);
  // From the last byte of the first mark to the last one of the second.
  assertEquals([bytes.tokens, bytes.states.slice(0, 7)], [1 + 2 + 8, [...Array(6).fill(undefined), false]]);
  assertEquals(bytes.states.at(-1), true);
  assertEquals(follow("", "<thin", plain).states, [...Array(5).fill(undefined)]);
  assertEquals(follow("", "<thim", plain).states.at(-1), true);
});

Deno.test("Thinking sees a channel that comes back", () => {
  const answer = "<|channel|>analysis<|message|>ab<|end|><|start|>assistant<|channel|>analysis<|message|>c" +
    "<|end|><|start|>assistant<|channel|>final<|message|>d";
  const { at, tokens } = follow("<|start|>assistant", answer, tokenizer, HARMONY_THOUGHTS);
  assertEquals([at, tokens], ["either", 1 + 2 + 1 + 1 + 1 + 1]);
});

/** An answer of tokens that go on thinking for as long as they may; what was taken. */
function spend(budget: number, prompt: string, constraint?: Constraint, seen: readonly number[] = []) {
  const thinking = new Thinking({ format: THINK, tokenizer, promptTokens: encode(prompt), budget });
  const taken: number[] = [];
  for (let i = 0; i < 20; i++) {
    const id = seen[i] ?? thinking.next(constraint) ?? encode(i === 0 && prompt === "" ? "<think>" : "a")[0];
    if (seen[i] !== undefined) thinking.next(constraint);
    thinking.push(id);
    taken.push(id);
  }
  return tokenizer.decode(taken, { special: true });
}

Deno.test("Thinking ends thoughts when their budget is spent, and again the same after a restart", () => {
  assertEquals(spend(3, "<think>\n"), "aaa\n</think>\n\n" + "a".repeat(13));
  assertEquals(spend(0, "<think>\n"), "\n</think>\n\n" + "a".repeat(16));
  assertEquals(spend(3, ""), "<think>aa\n</think>\n\n" + "a".repeat(13));
  for (let cut = 0; cut < 8; cut++) {
    const before = encode("aaa\n</think>\n\n").slice(0, cut);
    assertEquals(spend(3, "<think>\n", undefined, before), spend(3, "<think>\n"), `restored after ${cut}`);
  }
});

Deno.test("Thinking writes no end that the answer's grammar does not take", () => {
  const never = { fits: () => 0 } as unknown as Constraint;
  assertEquals(spend(3, "<think>\n", never), "a".repeat(20));
});
