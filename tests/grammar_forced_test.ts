/** Tokens that a grammar leaves no choice for are taken without logits: the answer is the one that it would be with them. */

import { assert, assertEquals } from "@std/assert";
import { type GenerationResult, loadModel, type Model } from "../mod.ts";
import type { GrammarSource } from "../src/grammar/mod.ts";

const GRAMMARS: readonly GrammarSource[] = [
  // Bytes that no longer token has.
  { kind: "regex", pattern: "日本語: [0-9]{2,5} ©[a-z ]{5,20}※" },
  { kind: "choice", texts: ["⟨yes⟩", "⟨no⟩"] },
  {
    kind: "schema",
    schema: {
      type: "object",
      properties: { "数": { type: "integer" }, "¿qué?": { enum: ["é", "ß", null] } },
      required: ["数", "¿qué?"],
      additionalProperties: false,
    },
  },
];

async function steps(model: Model): Promise<number> {
  const { workers } = await model.stats();
  return workers.reduce((sum, { steps }) => sum + steps, 0);
}

Deno.test("forced tokens are computed together, and answers are the same", async () => {
  await using model = await loadModel("demo", {
    threads: 1,
    contextLength: 256,
    prefixCache: false,
    speculation: "off",
  });
  const ask = (grammar: GrammarSource, seed: number, logprobs?: number) =>
    model.chat([{ role: "user", content: `Say ${seed}.` }], { grammar, seed, maxTokens: 60, logprobs })
      .result;
  for (const grammar of GRAMMARS) {
    const began = await steps(model);
    const jumped: GenerationResult[] = [];
    for (let seed = 0; seed < 4; seed++) jumped.push(await ask(grammar, seed));
    const middle = await steps(model);
    // Who wants log-probabilities has every token's logits computed.
    const plain: GenerationResult[] = [];
    for (let seed = 0; seed < 4; seed++) plain.push(await ask(grammar, seed, 0));
    const ended = await steps(model);
    const shown = (answers: readonly GenerationResult[]) =>
      answers.map(({ text, finishReason, usage }) => ({ text, finishReason, usage }));
    assertEquals(shown(jumped), shown(plain));
    assert(middle - began < 0.8 * (ended - middle), `${middle - began} steps, and ${ended - middle}`);
  }
  const { text } = await ask(GRAMMARS[1], 1);
  assert(["⟨yes⟩", "⟨no⟩"].includes(text), text);
});

Deno.test("forced tokens count: an answer ends among them where it has as many as it may", async () => {
  await using model = await loadModel("demo", { threads: 1, contextLength: 256 });
  for (const maxTokens of [1, 2, 3, 4, 5, 6]) {
    const grammar = GRAMMARS[0];
    const messages = [{ role: "user", content: "Hi" }] as const;
    const jumped = await model.chat([...messages], { grammar, maxTokens, seed: 3 }).result;
    const plain = await model.chat([...messages], { grammar, maxTokens, seed: 3, logprobs: 0 }).result;
    assertEquals(jumped.usage, plain.usage);
    assertEquals(jumped.usage.completionTokens, maxTokens);
    assertEquals([jumped.text, jumped.finishReason], [plain.text, "length"]);
  }
});
