/** What models think, apart from what they say: in all interfaces, within budgets, before answers with a shape. */

import { assert, assertEquals } from "@std/assert";
import { loadModel } from "../mod.ts";
import { scalarEntry } from "../src/gguf/entries.ts";
import { TemporaryFolder } from "./support/models.ts";
import { CHAT, startServer } from "./support/server.ts";

const START = "<|im_start|>assistant\n";
const ENDING = "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n" +
  "{% else %}<think>\n{% endif %}";
/** A model's own texts are random: its thoughts end where their budget does. */
const TEMPLATE =
  "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n" +
  `{% endfor %}{% if add_generation_prompt %}${START}${ENDING}{% endif %}`;
const messages = [{ role: "user", content: "Hi" }];
const BUDGET = 9;
/** Tokens of the mark and the line end before it: its bytes, of which "in" is one token. */
const CLOSING = "\n</think>".length - 1;
const schema = {
  type: "object",
  properties: { n: { type: "integer", minimum: 0, maximum: 99 }, ok: { type: "boolean" } },
  required: ["n", "ok"],
  additionalProperties: false,
};
const sampling = { seed: 3, temperature: 1 };

const folder = new TemporaryFolder();
addEventListener("unload", () => folder[Symbol.dispose]());
const path = await folder.randomModel("qwen3-tiny", "q8_0", 1, [
  scalarEntry("string", "tokenizer.chat_template", TEMPLATE),
]);

// deno-lint-ignore no-explicit-any
type Any = any;

function fits(text: string): void {
  const { n, ok, ...rest } = JSON.parse(text);
  assert(n >= 0 && n <= 99 && typeof ok === "boolean" && Object.keys(rest).length === 0, text);
}

/** The objects of a stream's events. */
async function events(response: Response): Promise<Any[]> {
  const text = await response.text();
  return text.split("\n").filter((line) => line.startsWith("data: {")).map((line) =>
    JSON.parse(line.slice(6))
  );
}

Deno.test("the library tells thoughts apart, ends them with their budget, and keeps a grammar for what follows", async () => {
  await using model = await loadModel(path, { threads: 1, contextLength: 256 });
  assertEquals(model.info.thoughts, { format: "think", control: [] });
  const options = { ...sampling, maxTokens: 120, reasoningTokens: BUDGET } as const;
  const grammar = { kind: "schema", schema } as const;
  const { text, reasoning, usage, thoughts } = await model.chat(messages, { ...options, grammar }).result;
  fits(text);
  assertEquals(thoughts, "inside");
  assert(reasoning!.length > 0 && !reasoning!.includes("</think>"));
  assertEquals(usage.reasoningTokens, BUDGET + CLOSING);

  // Without a grammar they are a part of the text, unless they are to be told apart.
  const whole = await model.chat(messages, options).result;
  assert(whole.text.includes("</think>") && whole.reasoning === undefined);
  let parts = "";
  const split = await model.chat(messages, {
    ...options,
    splitReasoning: true,
    onPart: ({ reasoning = "" }) => {
      parts += reasoning;
    },
  }).result;
  assertEquals(split.reasoning, parts);
  assertEquals(whole.text.split("</think>").map((part) => part.trim()), [
    split.reasoning,
    split.text.trim(),
  ]);

  // However little room there is, what is open is closed: thoughts, too.
  for (const maxTokens of [25, 31, 47]) {
    const shape = { kind: "schema", schema: { type: "array", items: schema } } as const;
    const closed = await model.chat(messages, {
      ...sampling,
      maxTokens,
      grammar: shape,
      closeOnLength: true,
    }).result;
    for (const each of JSON.parse(closed.text)) fits(JSON.stringify(each));
    assertEquals([closed.finishReason, closed.usage.completionTokens <= maxTokens], ["length", true]);
  }

  const none = await model.chat(messages, { ...options, grammar, enableThinking: false }).result;
  fits(none.text);
  assertEquals([none.thoughts, none.reasoning, none.usage.reasoningTokens], ["outside", "", 0]);
});

Deno.test("each interface has thoughts in its own place, whole and in parts", async (t) => {
  await using server = await startServer({ model: path, contextLength: 256 });
  const post = async (at: string, body: object) => {
    const response = await server.post(at, body);
    assertEquals(response.status, 200, response.ok ? "" : await response.text());
    return response;
  };
  const json = async (at: string, body: object): Promise<Any> => await (await post(at, body)).json();
  const response_format = { type: "json_schema", json_schema: { name: "a", schema } };
  let thought = "";

  await t.step("chats", async () => {
    const body = { messages, ...sampling, max_tokens: 120, response_format, thinking_token_budget: BUDGET };
    const { choices: [{ message }], usage } = await json(CHAT, body);
    fits(message.content);
    thought = message.reasoning_content;
    assert(thought.length > 0);
    assertEquals(usage.completion_tokens_details.reasoning_tokens, BUDGET + CLOSING);
    const deltas = (await events(await post(CHAT, { ...body, stream: true }))).map((chunk) =>
      chunk.choices[0].delta
    );
    assertEquals(deltas.map(({ reasoning_content = "" }) => reasoning_content).join(""), thought);
    assertEquals(deltas.map(({ content = "" }) => content).join(""), message.content);
    const hidden = await json(CHAT, { ...body, include_reasoning: false });
    assertEquals([hidden.choices[0].message.reasoning_content, hidden.choices[0].message.content], [
      undefined,
      message.content,
    ]);
    const raw = await json(CHAT, { ...body, reasoning_format: "none" });
    assert(new RegExp(`</think>\\s*${RegExp.escape(message.content)}$`).test(raw.choices[0].message.content));
    const none = await json(CHAT, { ...body, reasoning_effort: "none" });
    fits(none.choices[0].message.content);
    assertEquals(none.choices[0].message.reasoning_content, undefined);
    // Stop strings end what is said.
    const free = { ...body, response_format: undefined };
    const plain = (await json(CHAT, free)).choices[0].message.reasoning_content;
    const stopped = await json(CHAT, { ...free, stop: ["\n\n", plain.slice(0, 2)] });
    assertEquals(stopped.choices[0].message.reasoning_content, plain);
  });

  await t.step("Responses", async () => {
    const body = {
      input: messages,
      temperature: 1,
      max_output_tokens: 120,
      text: { format: { type: "json_schema", name: "a", schema } },
      kumi: { thinking_tokens: BUDGET },
    };
    const { output, usage } = await json("/v1/responses", body);
    assertEquals(output.map(({ type }: Any) => type), ["reasoning", "message"]);
    assert(output[0].content[0].type === "reasoning_text" && output[0].content[0].text.length > 0);
    fits(output[1].content[0].text);
    assertEquals(usage.output_tokens_details.reasoning_tokens, BUDGET + CLOSING);
    const all = await events(await post("/v1/responses", { ...body, stream: true }));
    const done = all.at(-1).response;
    const joined = (type: string) =>
      all.filter((event) => event.type === type).map(({ delta }) => delta).join("");
    assertEquals(joined("response.reasoning_text.delta"), done.output[0].content[0].text);
    assertEquals(joined("response.output_text.delta"), done.output[1].content[0].text);
    assertEquals(new Set(all.filter(({ item_id }) => item_id).map(({ item_id }) => item_id)).size, 2);
  });

  await t.step("Messages", async () => {
    const body = {
      messages,
      temperature: 1,
      max_tokens: 120,
      thinking: { type: "enabled", budget_tokens: BUDGET },
      output_config: { format: { type: "json_schema", schema } },
    };
    const { content } = await json("/v1/messages", body);
    assertEquals(content.map(({ type }: Any) => type), ["thinking", "text"]);
    assert(content[0].thinking.length > 0);
    fits(content[1].text);
    const all = await events(await post("/v1/messages", { ...body, stream: true }));
    const deltas = all.filter(({ type }) => type === "content_block_delta");
    assertEquals([...new Set(deltas.map(({ delta }) => delta.type))], [
      "thinking_delta",
      "signature_delta",
      "text_delta",
    ]);
    fits(deltas.map(({ delta }) => delta.text ?? "").join(""));
    const off = await json("/v1/messages", { ...body, thinking: { type: "disabled" } });
    assertEquals(off.content.map(({ type }: Any) => type), ["text"]);
  });

  await t.step("Ollama's", async () => {
    const body = { messages, options: { ...sampling, num_predict: 120 }, kumi: { thinking_tokens: BUDGET } };
    const { message } = await json("/api/chat", { ...body, format: schema, stream: false });
    fits(message.content);
    assertEquals(message.thinking, thought);
    const lines = (await (await post("/api/chat", { ...body, format: schema })).text()).trim().split("\n");
    const told = lines.map((line) => JSON.parse(line).message);
    assertEquals(told.map(({ thinking = "" }) => thinking).join(""), thought);
    assertEquals(told.map(({ content }) => content).join(""), message.content);
    const off = await json("/api/chat", { ...body, format: "json", think: false, stream: false });
    assertEquals(off.message.thinking, undefined);
    const { capabilities } = await json("/api/show", {});
    assertEquals(capabilities, ["completion", "tools", "thinking"]);
  });
});
