import { assert, assertEquals } from "@std/assert";
import { resolveSampling } from "../protocol/sampling.ts";
import { byteLevelMetadata, randomInts, sentencePieceMetadata } from "../../tests/support/vocabularies.ts";
import { createTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";
import { AlignedLogprobs } from "./aligned_logprobs.ts";
import { Answer } from "../engine/answer.ts";
import { request } from "../../tests/support/fake_model.ts";
import { Generation, type GenerationResult } from "./generation.ts";
import type { TokenLogprob } from "../protocol/answer.ts";

const decode = (bytes: number[]) =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));

function token(id: number, bytes: number[]): TokenLogprob {
  return { id, text: decode(bytes), bytes, logprob: -1, top: [] };
}

const utf8 = (text: string) => [...new TextEncoder().encode(text)];

/** Ids of what is given out. */
const ids = (tokens: TokenLogprob[]) => tokens.map(({ id }) => id);

Deno.test("AlignedLogprobs gives a token out when all of its text is", () => {
  const aligned = new AlignedLogprobs();
  assertEquals(ids(aligned.push([token(1, [0xe3]), token(2, [0x81])], "")), []);
  assertEquals(ids(aligned.push([token(3, [0x82, 0x61])], "あ")), [1, 2]);
  // A control token is where the text before it ends.
  assertEquals(ids(aligned.push([token(4, [])], "a")), [3, 4]);
  assertEquals(ids(aligned.push([token(5, utf8("bc"))], "b")), []);
  assertEquals(ids(aligned.push([token(6, utf8("de"))], "cde")), [5, 6]);
  assertEquals(aligned.end(), []);
});

Deno.test("AlignedLogprobs.end() cuts the token in which a stop string begins and leaves the others out", () => {
  const aligned = new AlignedLogprobs();
  const tokens = [
    token(1, utf8("a😀")),
    token(2, []),
    token(3, utf8("bST")),
    token(4, utf8("OP")),
    token(5, []),
  ];
  assertEquals(ids(aligned.push(tokens, "a😀b")), [1, 2]);
  assertEquals(aligned.end(), [{ ...token(3, utf8("b")), text: "b" }]);
});

/** Tokenizers whose tokens are parts of characters, pieces with spaces, control tokens. */
function tokenizers(): Tokenizer[] {
  const merges = ["Ġ a", "a b", "ab c", "ã ģ"];
  return [
    createTokenizer(byteLevelMetadata(merges, ["<|end|>", "<|mark|>"], { eos_token_id: 260 })),
    createTokenizer(sentencePieceMetadata(["▁", "▁a", "ab", "abc", "▁▁", "あ"])),
  ];
}

/** An answer of random tokens in random steps, which may move to another worker on the way. */
async function randomAnswer(tokenizer: Tokenizer, random: (n: number) => number) {
  // Bytes of characters that are whole more often than not, and all that the tokenizer has besides.
  const likely = utf8("aあ😀é bc").map((byte) => tokenizer.encode("a")[0] - 0x61 + byte);
  const stops = ["ab", "bc", "あ", "aあ", "\ufffd", " a", "c\ufffd"];
  const asked = request("", {
    prompt: { tokens: [5] },
    sampling: resolveSampling({ seed: 1, logprobs: 2 }, tokenizer.vocabSize),
    stop: Array.from({ length: random(3) }, () => stops[random(stops.length)]),
    ignoreEnd: random(4) > 0,
    maxTokens: 1 + random(30),
  });
  const prompt = random(2) === 0 ? [5] : [tokenizer.controlId("<s>") ?? tokenizer.controlId("<|mark|>")!];
  let parts = 0, text = "";
  const generation = new Generation(() => {}, {
    onPart: (part) => {
      parts += part.logprobs!.length;
      text += part.text;
    },
  });
  let answer = new Answer(1, asked, prompt, tokenizer, 100);
  const chosen: number[] = [];
  for (let at = random(likely.length); answer.finishReason === undefined; at++) {
    const id = random(3) > 0 ? likely[at % likely.length] : random(tokenizer.vocabSize + 2);
    const top = [{ id, logprob: -1 }, { id: random(tokenizer.vocabSize), logprob: -2 }];
    answer.accept({ id, logprob: -1, top }, 0);
    chosen.push(id);
    if (random(2) === 0 && answer.finishReason === undefined) continue;
    generation.push(answer.takeEvent(0)!);
    if (random(5) > 0 || answer.finishReason !== undefined) continue;
    answer = new Answer(1, { ...asked, restored: [...chosen] }, prompt, tokenizer, 100);
  }
  if (answer.takeEvent(0) !== null && chosen.length === 0) throw new Error("an answer without an end");
  const result = await generation.result;
  assertEquals([text, parts], [result.text, result.logprobs!.length]);
  return { result, chosen, stops: asked.stop };
}

function assertJoined({ text, logprobs }: GenerationResult, note: string): void {
  const bytes = logprobs!.flatMap((each) => each.bytes);
  assertEquals(decode(bytes), text, note);
  if (!text.includes("\ufffd")) assertEquals(bytes, utf8(text), note);
  for (const each of logprobs!) {
    // The token is its own likeliest alternative here; only a cut one has less.
    assertEquals(each.top[0].bytes.slice(0, each.bytes.length), each.bytes, note);
    if (each.bytes.length > 0 && !each.text.startsWith("bytes:")) {
      assertEquals(utf8(each.text), each.bytes, note);
    }
    assert(!each.text.includes("\ufffd") || decode(each.bytes) === each.text);
  }
}

Deno.test("the bytes of an answer's tokens, joined, are its text: parts of characters, stop strings, a lost worker", async () => {
  const random = randomInts(3);
  const seen = { split: 0, stopped: 0, invalid: 0, stripped: 0 };
  for (const tokenizer of tokenizers()) {
    for (let round = 0; round < 1500; round++) {
      const { result, chosen, stops } = await randomAnswer(tokenizer, random);
      const { text, logprobs, finishReason } = result;
      const note = JSON.stringify({ chosen, stops, text });
      assertJoined(result, note);
      if (stops.length === 0) {
        assertEquals(logprobs!.length, chosen.length - (finishReason === "stop" ? 1 : 0), note);
      }
      seen.split += logprobs!.some((each) => each.text.startsWith("bytes:")) && !text.includes("\ufffd")
        ? 1
        : 0;
      seen.stopped += stops.length > 0 && finishReason === "stop" ? 1 : 0;
      seen.invalid += text.includes("\ufffd") ? 1 : 0;
      seen.stripped += logprobs!.length > 0 &&
          logprobs![0].bytes.length <
            tokenizer.tokenBytes(Math.min(chosen[0], tokenizer.vocabSize - 1)).length
        ? 1
        : 0;
    }
  }
  for (const [kind, count] of Object.entries(seen)) assert(count > 50, `${kind}: ${count}`);
});

Deno.test("an answer that ends at once has an empty list of log-probabilities, and none where nobody asked", async () => {
  const [tokenizer] = tokenizers();
  for (const logprobs of [0, undefined]) {
    const asked = request("", { sampling: resolveSampling({ seed: 1, logprobs }, tokenizer.vocabSize) });
    const answer = new Answer(1, asked, [5], tokenizer, 100);
    const generation = new Generation(() => {});
    answer.accept({ id: 260, logprob: -1, top: [] }, 0);
    generation.push(answer.takeEvent(0)!);
    assertEquals((await generation.result).logprobs, logprobs === undefined ? undefined : []);
  }
});
