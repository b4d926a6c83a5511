/**
 * Log-probabilities of prompts: what they are, that they do not depend on what else is computed, and how they
 * are asked for.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { loadModel, type LoadOptions, type Model, type PromptLogprob } from "../mod.ts";
import { BLOCK_TOKENS } from "../src/runner/batch.ts";
import { perplexity } from "../src/runner/perplexity.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";
import { numbersFrom } from "./support/numbers.ts";
import { assertIdle, CHAT, errorOf, eventsOf, QUESTION, startServer, TEXT } from "./support/server.ts";
import { tablesOf } from "../scheduler/testing/tables.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

const SCORED = { maxTokens: 0, promptLogprobs: 0 } as const;

Deno.test("Model.generate() scores a prompt as perplexity() does, with the likeliest and the place of each token", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q8_0");
  using runner = await loadRunner(path, { threads: 1 });
  await using model = await loadModel(path, { threads: 1, batchTokensMax: 24 });
  const { vocab } = runner.hyperparameters;
  const tokens = Array.from({ length: 70 }, (_, i) => (i * 37 + 11) % vocab);
  const { promptLogprobs, text, finishReason, usage } = await model.generate(tokens, {
    maxTokens: 0,
    promptLogprobs: 3,
  }).result;
  assertEquals([text, finishReason, usage.promptTokens, usage.completionTokens], ["", "length", 70, 0]);
  const [first, ...others] = promptLogprobs!;
  assertEquals([first.id, first.logprob, first.rank, first.top], [tokens[0], null, null, []]);
  const blocks = Array.from({ length: Math.ceil(tokens.length / BLOCK_TOKENS) }, (_, i) => i);
  for (const [i, { id, logprob, rank, top }] of others.entries()) {
    runner.forward([{ tokens, first: i, count: 1, tables: tablesOf(blocks) }]);
    runner.logits([0]);
    const [scored] = runner.score(Uint32Array.of(tokens[i + 1]));
    assertEquals([id, logprob, rank], [tokens[i + 1], scored.logprob, scored.rank]);
    const logits = runner.readLogits();
    const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
    assertEquals(rank, 1 + order.indexOf(id));
    assertEquals(top.map((each) => each.id), order.slice(0, 3));
    if (rank! <= 3) assertEquals(top[rank! - 1].logprob, logprob);
  }
  const half = others.slice(tokens.length / 2).map(({ logprob }) => -logprob!);
  const measured = await perplexity(runner, tokens, { window: tokens.length });
  assertEquals(measured.perplexity, Math.exp(half.reduce((sum, loss) => sum + loss, 0) / half.length));
});

Deno.test("Model.generate() scores a prompt as long as the context, and without an answer needs no room for one", async () => {
  await using model = await loadModel("demo", { threads: 1, contextLength: 64, kvTokens: 64 });
  const tokens = Array.from({ length: 64 }, (_, i) => 300 + i);
  const { promptLogprobs } = await model.generate(tokens, SCORED).result;
  assertEquals(promptLogprobs?.map(({ id }) => id), tokens);
  const one = await model.generate([300], SCORED).result;
  assertEquals(one.promptLogprobs?.map(({ logprob }) => logprob), [null]);
  const plain = await model.generate("Once", { maxTokens: 0 }).result;
  assertEquals([plain.text, plain.finishReason, plain.promptLogprobs], ["", "length", undefined]);
  assertThrows(() => model.generate("a", { promptLogprobs: 21 }), RangeError, "promptLogprobs");
});

/** Prompts of many lengths, some of which begin alike. */
function randomPrompts(vocab: number, count: number): number[][] {
  const next = numbersFrom(5);
  const common = Array.from({ length: 60 }, () => next(vocab));
  return Array.from({ length: count }, () => [
    ...common.slice(0, next(3) === 0 ? next(60) : 0),
    ...Array.from({ length: 1 + next(90) }, () => next(vocab)),
  ]);
}

async function scoredIn(load: LoadOptions, together: boolean): Promise<PromptLogprob[][]> {
  await using model = await loadModel("demo", load);
  const prompts = randomPrompts(model.info.vocab, 24);
  const one = async (i: number) => {
    const options = { maxTokens: [0, 1, 30][i % 3], promptLogprobs: i % 4, seed: 1, ignoreEnd: true };
    return (await model.generate(prompts[i], options).result).promptLogprobs!;
  };
  const all: PromptLogprob[][] = [];
  if (!together) { for (const i of prompts.keys()) all.push(await one(i)); }
  else {
    const answers = prompts.slice(0, 12).map((prompt) =>
      model.generate(prompt, { maxTokens: 20, seed: 1 }).result
    );
    all.push(...await Promise.all(prompts.keys().map(one)));
    await Promise.all(answers);
  }
  await assertIdle(model);
  return all;
}

Deno.test("Model.generate() scores prompts to the same bits alone, beside others, in chunks, with little KV cache", async () => {
  const alone = await scoredIn({ threads: 1, contextLength: 256, prefixCache: false }, false);
  assertEquals(alone.map(({ length }) => length), randomPrompts(1024, 24).map(({ length }) => length));
  const manners: LoadOptions[] = [
    { threads: 2, contextLength: 256 },
    { threads: 1, contextLength: 256, batchTokensMax: 16, sequencesMax: 5 },
    { threads: 1, contextLength: 256, kvTokens: 256 },
    { threads: 1, contextLength: 256, workers: 2 },
  ];
  for (const load of manners) assertEquals(await scoredIn(load, true), alone, JSON.stringify(load));
});

/** The fields of a choice that must be the same length, and join to its text. */
function assertLists({ text, logprobs }: Json, note?: string): void {
  const { tokens, token_logprobs, top_logprobs, text_offset } = logprobs;
  assertEquals(
    [token_logprobs, top_logprobs, text_offset].map(({ length }) => length),
    Array(3).fill(tokens.length),
    note,
  );
  const characters = [...text];
  tokens.forEach((token: string, i: number) => {
    if (token.startsWith("bytes:") || token.startsWith("<|")) return;
    assertEquals(characters.slice(text_offset[i], text_offset[i] + [...token].length).join(""), token, note);
  });
}

Deno.test("the server echoes prompts with their log-probabilities: texts, tokens, lists of them, whole and in parts", async (t) => {
  await using server = await startServer();
  const { model, post } = server;
  const ask = async (body: object, path = TEXT): Promise<Json> => await (await post(path, body)).json();
  const prompt = "Once upon a time é 😀 there";
  const tokens = await model.tokenize(prompt);
  const { promptLogprobs } = await model.generate(prompt, { maxTokens: 0, promptLogprobs: 2 }).result;
  const scores = promptLogprobs!.map(({ logprob }) => logprob);

  await t.step("of every length of answer", async () => {
    for (const max_tokens of [0, 1, 5]) {
      const greedy = { prompt, max_tokens, temperature: 0, ignore_eos: true, logprobs: 2 };
      const { choices: [choice], usage } = await ask({ ...greedy, echo: true });
      const { choices: [plain] } = await ask(greedy);
      assertEquals(choice.text, prompt + plain.text);
      assertEquals([choice.finish_reason, usage.completion_tokens], ["length", max_tokens]);
      assertLists(choice);
      const { token_logprobs, top_logprobs } = choice.logprobs;
      assertEquals(token_logprobs, [...scores, ...plain.logprobs.token_logprobs]);
      assertEquals([token_logprobs[0], top_logprobs[0]], [null, null]);
      for (const [i, top] of top_logprobs.entries()) {
        if (i > 0) {
          assert(Object.values(top).includes(token_logprobs[i]) && [2, 3].includes(Object.keys(top).length));
        }
      }
      const events: Json[] = await eventsOf(await post(TEXT, { ...greedy, echo: true, stream: true }));
      const parts = events.slice(0, -1).map((event) => event.choices[0]);
      assertEquals(parts.map(({ text }) => text).join(""), choice.text);
      for (const field of Object.keys(choice.logprobs)) {
        assertEquals(parts.flatMap(({ logprobs }) => logprobs?.[field] ?? []), choice.logprobs[field], field);
      }
    }
  });

  await t.step("of lists, with and without log-probabilities", async () => {
    const prompts = [tokens, tokens.slice(0, 3), await model.tokenize("The sun")];
    const { choices } = await ask({ prompt: prompts, max_tokens: 0, echo: true, logprobs: 0, n: 2 });
    const texts = [prompt, await model.detokenize(prompts[1]), "The sun"];
    assertEquals(choices.map(({ text }: Json) => text), texts.flatMap((text) => [text, text]));
    assertEquals(choices[0].logprobs.token_logprobs, scores);
    assertEquals(choices[2].logprobs.token_logprobs, scores.slice(0, 3));
    const bare = await ask({ prompt: ["Once", "The sun"], max_tokens: 0, echo: true });
    assertEquals(bare.choices.map(({ text, logprobs }: Json) => [text, logprobs]), [["Once", null], [
      "The sun",
      null,
    ]]);
  });

  await t.step("with control tokens, which are text only where that is asked for", async () => {
    const special = [1022, ...await model.tokenize("user"), 1023];
    const body = { prompt: special, max_tokens: 0, echo: true, logprobs: 0 };
    for (const [skip_special_tokens, text] of [[true, "user"], [false, "<|im_start|>user<|im_end|>"]]) {
      const { choices: [choice] } = await ask({ ...body, skip_special_tokens });
      assertEquals(choice.text, text);
      assertEquals(choice.logprobs.tokens.join(""), "<|im_start|>user<|im_end|>");
      assertEquals(choice.logprobs.text_offset.at(-1), text === "user" ? 4 : 16);
    }
  });

  await t.step("the token that ends an answer is told: tools pass over the last one", async () => {
    const [end] = await model.tokenize(" upon", { addSpecial: false });
    const body = { prompt: "Once", max_tokens: 1, temperature: 0, stop_token_ids: [end], logprobs: 1 };
    const { choices: [choice] } = await ask({ ...body, echo: true });
    const { tokens, text_offset } = choice.logprobs;
    assertEquals([choice.text, choice.finish_reason], ["Once", "stop"]);
    assertEquals([tokens.length, text_offset.at(-1)], [1 + (await model.tokenize("Once")).length, 4]);
    assertEquals((await ask(body)).choices[0].logprobs.tokens, []);
  });

  await t.step("prompt_logprobs, as vLLM writes them", async () => {
    const shape = promptLogprobs!.map(({ id, text, logprob, rank, top }) => {
      if (logprob === null) return null;
      const named = top.map((
        each,
        i,
      ) => [each.id, { logprob: each.logprob, rank: i + 1, decoded_token: each.text }]);
      return Object.fromEntries([...named, [id, { logprob, rank, decoded_token: text }]]);
    });
    const { choices } = await ask({ prompt, max_tokens: 1, prompt_logprobs: 2, n: 2 });
    assertEquals(choices.map((choice: Json) => choice.prompt_logprobs), [shape, shape]);
    assertEquals([choices[0].logprobs, choices[0].text.startsWith(prompt)], [null, false]);
    const chat = await ask({ messages: QUESTION, temperature: 0, max_tokens: 1, prompt_logprobs: 0 }, CHAT);
    assertEquals(chat.prompt_logprobs.length, chat.usage.prompt_tokens);
    assertEquals(chat.prompt_logprobs.slice(0, 2).map((each: Json) => each && Object.keys(each).length), [
      null,
      1,
    ]);
    assert(!("prompt_logprobs" in await ask({ messages: QUESTION, max_tokens: 1 }, CHAT)));
    assertEquals((await errorOf(post(TEXT, { prompt, prompt_logprobs: 21 }), 400)).param, "prompt_logprobs");
  });
  await assertIdle(model as Model);
});
