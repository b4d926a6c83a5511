/** Answers that a limit of tokens would cut: what is open is closed, in any way of batches and restarts the same. */

import { assert, assertEquals } from "@std/assert";
import { loadModel } from "../mod.ts";
import { CHAT, startServer } from "./support/server.ts";

const schema = {
  type: "object",
  properties: {
    name: { type: "string" },
    tags: { type: "array", items: { type: "string", minLength: 2 } },
    more: {
      type: "object",
      properties: { a: { type: "number" }, b: { type: "boolean" } },
      required: ["a", "b"],
    },
  },
  required: ["name", "tags", "more"],
  additionalProperties: false,
};
const messages = [{ role: "user", content: "Write" }];

Deno.test("closeOnLength gives whole JSON within any limit that allows it, and what the model chose before", async () => {
  await using model = await loadModel("demo", { threads: 1 });
  const options = { grammar: { kind: "schema", schema }, seed: 5, temperature: 1.5 } as const;
  const ask = (maxTokens: number, closeOnLength = true) =>
    model.chat(messages, { ...options, maxTokens, closeOnLength }).result;
  const limits = [40, 45, 50, 60, 80, 120];
  const results = await Promise.all(limits.map((limit) => ask(limit)));
  for (const [i, { text, finishReason, usage }] of results.entries()) {
    const { name, tags, more } = JSON.parse(text);
    assert(typeof name === "string" && tags.every((tag: string) => [...tag].length >= 2), text);
    assert(typeof more.a === "number" && typeof more.b === "boolean", text);
    assert(usage.completionTokens <= limits[i]);
    // Alone it is the same.
    assertEquals((await ask(limits[i])).text, text);
    const cut = await ask(limits[i], false);
    if (finishReason === "stop") assertEquals(cut.text, text);
  }
  assert(results.some(({ finishReason }) => finishReason === "length"));
  // Three tokens are too few for any text that fits: it is cut as it would be.
  assertEquals((await ask(3)).text, (await ask(3, false)).text);
});

Deno.test("kumi.close_on_length asks for it in each interface", async () => {
  await using server = await startServer();
  const kumi = { close_on_length: true };
  const format = { type: "json_schema", json_schema: { name: "a", schema } };
  const fields = { messages, max_tokens: 60, seed: 5, temperature: 1.5, response_format: format };
  const { choices: [{ message, finish_reason }] } = await (await server.post(CHAT, { ...fields, kumi }))
    .json();
  JSON.parse(message.content);
  assert(["length", "stop"].includes(finish_reason));
  const line = await (await server.post("/api/chat", {
    messages,
    stream: false,
    format: schema,
    options: { num_predict: 60, seed: 5, temperature: 1.5 },
    kumi,
  })).json();
  assertEquals(line.message.content, message.content);
  const bad = await server.post(CHAT, { ...fields, kumi: { close: true } });
  assertEquals([bad.status, (await bad.json()).error.param], [400, "kumi.close"]);
});
