/** What clients of other servers send and look for, with the demo model. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { ANSWER, CHAT, errorOf, eventsOf, QUESTION, recorder, startServer, TEXT } from "./support/server.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

const KEY = "key-of-a-client";

Deno.test("the server takes the fields of other servers' clients", async (t) => {
  const { heard, observer } = recorder();
  await using server = await startServer({ observer });
  const { model, get, post } = server;
  const json = async (path: string, body: unknown): Promise<Json> => {
    const response = await post(path, body);
    const parsed = await response.json();
    assertEquals(response.status, 200, JSON.stringify(parsed));
    return parsed;
  };
  const chat = { messages: QUESTION, temperature: 0 };
  const content = async (body: object) => (await json(CHAT, { ...chat, ...body })).choices[0].message.content;

  await t.step("fields that change nothing", async () => {
    // As python's openai writes a message that it has got, AutoGen one of its agents', LiteLLM and LangChain
    // what is not set.
    const dumped = {
      ...{ role: "assistant", content: "Hello.", refusal: null, annotations: null, audio: null },
      ...{ function_call: null, tool_calls: null, parsed: null, reasoning_content: null },
    };
    const messages = [{ role: "user", content: "Hi", name: "agent_1" }, dumped, {
      ...QUESTION[0],
      name: null,
    }];
    const plain = await content({
      messages: [{ role: "user", content: "Hi" }, { role: "assistant", content: "Hello." }, QUESTION[0]],
    });
    assertEquals(await content({ messages }), plain);
    const openai = {
      ...{
        tools: [],
        tool_choice: "none",
        parallel_tool_calls: true,
        functions: null,
        stop: null,
        logit_bias: null,
      },
      ...{
        store: true,
        metadata: { a: "b" },
        service_tier: "flex",
        verbosity: "low",
        reasoning_effort: "minimal",
      },
      ...{
        prediction: { type: "content", content: "x" },
        prompt_cache_key: "k",
        prompt_cache_retention: "24h",
      },
      ...{
        safety_identifier: "s",
        user: "u",
        modalities: ["text"],
        response_format: { type: "text" },
        audio: null,
      },
      ...{
        n: null,
        seed: null,
        stream_options: null,
        max_tokens: null,
        top_logprobs: 0,
        web_search_options: null,
      },
    };
    const vllm = {
      ...{
        repetition_penalty: 1,
        min_tokens: 0,
        skip_special_tokens: true,
        spaces_between_special_tokens: true,
      },
      ...{
        use_beam_search: false,
        length_penalty: 1,
        best_of: 1,
        truncate_prompt_tokens: null,
        guided_json: null,
      },
      ...{
        include_stop_str_in_output: false,
        echo: false,
        add_generation_prompt: true,
        top_k: -1,
        request_id: "r",
      },
      ...{
        continue_final_message: false,
        structured_outputs: null,
        logits_processors: [],
        kv_transfer_params: null,
      },
    };
    const llama = {
      ...{
        cache_prompt: true,
        id_slot: -1,
        timings_per_token: true,
        return_progress: true,
        n_predict: -1,
        seed: -1,
      },
      ...{ samplers: "edskypmxt", dynatemp_range: 0, dynatemp_exponent: 1, typical_p: 1, xtc_probability: 0 },
      ...{
        xtc_threshold: 0.1,
        repeat_last_n: 64,
        repeat_penalty: 1,
        dry_multiplier: 0,
        dry_base: 1.75,
        mirostat: 0,
      },
      ...{
        dry_allowed_length: 2,
        dry_penalty_last_n: -1,
        max_tokens: -1,
        reasoning_format: "auto",
        grammar: "",
      },
      ...{
        n_probs: 0,
        min_keep: 0,
        lora: [],
        json_schema: null,
        post_sampling_probs: false,
        backend_sampling: undefined,
      },
    };
    for (const fields of [openai, vllm, llama]) assertEquals(await content(fields), ANSWER);
  });

  await t.step("fields that change the answer", async () => {
    const whole = await json(TEXT, { prompt: "Once", temperature: 0, max_tokens: 12, stop: " upon" });
    assertEquals(whole.choices[0].text, "");
    const least = await json(TEXT, {
      prompt: "Once",
      temperature: 0,
      max_tokens: 12,
      stop: " upon",
      min_tokens: 6,
    });
    assert(least.choices[0].text.startsWith(" upon") && least.usage.completion_tokens > 6);
    const { usage } = await json(CHAT, { ...chat, min_tokens: 30, max_tokens: 40 });
    assert(usage.completion_tokens >= 30, `${usage.completion_tokens}`);
    // The same request with the same minimum has the same answer.
    const longer = { min_tokens: 30, max_tokens: 40, temperature: 1, seed: 3 };
    assertEquals(await content(longer), await content(longer));
    const shown = await content({ ignore_eos: true, max_tokens: 40, skip_special_tokens: false });
    assert(shown.startsWith(ANSWER) && shown.includes("<|"), shown);
    assert(!(await content({ ignore_eos: true, max_tokens: 40 })).includes("<|"));
    const penalties = { repetition_penalty: 10, repeat_last_n: 4096, max_tokens: 60 };
    const own = { repeat_penalty: 10, penalty_tokens: 4096, max_tokens: 60 };
    assertEquals(await content(penalties), await content(own));
    assertNotEquals(
      await content({ ...penalties, ignore_eos: true }),
      await content({ ...own, penalty_tokens: 0, ignore_eos: true }),
    );
  });

  await t.step("a salt keeps what was computed for a prompt to itself", async () => {
    const cached = async (cache_salt?: string) =>
      (await json(TEXT, { prompt: "The salt of the earth is salt and more salt", max_tokens: 1, cache_salt }))
        .usage
        .prompt_tokens_details.cached_tokens;
    assertEquals([await cached(), await cached("a"), await cached("b")], [0, 0, 0]);
    assert(await cached("a") > 0);
  });

  await t.step("usage in each event", async () => {
    const options = {
      stream: true,
      n: 2,
      stream_options: { include_usage: true, continuous_usage_stats: true },
    };
    const events = (await eventsOf(await post(CHAT, { ...chat, ...options }))).slice(0, -1) as Json[];
    const last = events.pop();
    const counts = [0, 0];
    for (const { usage, choices: [{ index }] } of events) {
      assertEquals(usage.prompt_tokens, last.usage.prompt_tokens);
      assertEquals(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
      assert(usage.completion_tokens >= counts[index]);
      counts[index] = usage.completion_tokens;
    }
    assertEquals(counts[0] + counts[1], last.usage.completion_tokens);
  });

  await t.step("answers that go on with a message", async () => {
    const begun = [...QUESTION, { role: "assistant", content: "17 + 25" }];
    const rest = ANSWER.slice("17 + 25".length);
    const prefix = [...QUESTION, { role: "assistant", content: "17 + 25", prefix: true }];
    assertEquals(
      await content({ messages: begun, continue_final_message: true, add_generation_prompt: false }),
      rest,
    );
    assertEquals(await content({ messages: prefix }), rest);
    assertEquals(await content({ messages: begun }), rest);
    const { text } = await model.chat(begun, { temperature: 0 }).result;
    assertEquals(text, rest);
    const next = await content({ messages: begun, add_generation_prompt: true });
    assertNotEquals(next, rest);
    assertEquals((await model.chat(begun, { temperature: 0, addGenerationPrompt: true }).result).text, next);
    const both = { ...chat, continue_final_message: true, add_generation_prompt: true };
    assertEquals((await errorOf(post(CHAT, both), 400)).param, "continue_final_message");
  });

  await t.step("histories with tools, and the role developer", async () => {
    const call = { id: "call_1", type: "function", function: { name: "add", arguments: '{"a":17,"b":25}' } };
    const messages = [
      { role: "developer", content: "Be brief." },
      ...QUESTION,
      { role: "assistant", content: null, tool_calls: [call] },
      { role: "tool", tool_call_id: "call_1", content: "42" },
    ];
    const tokens = async (messages: object[]) =>
      (await json(CHAT, { messages, max_tokens: 1 })).usage.prompt_tokens as number;
    const text = messages.map((message, i) => i === 2 ? { role: "assistant", content: "" } : message);
    assert(await tokens(messages) > await tokens(text) + 10, "calls are a part of the prompt");
    assertEquals(
      await tokens([messages[0], ...QUESTION]),
      await tokens([{ ...messages[0], role: "system" }, ...QUESTION]),
    );
  });

  await t.step("paths without /v1, /health, and a hint for paths that are near", async () => {
    assertEquals(await (await get("/health")).json(), { status: "ok" });
    assertEquals((await (await get("/models")).json()).data[0].id, "demo");
    assertEquals((await (await get("/models/demo")).json()).id, "demo");
    assertEquals((await json("/chat/completions", chat)).choices[0].message.content, ANSWER);
    assertEquals((await json("/completions", { prompt: "Once", max_tokens: 1 })).object, "text_completion");
    assertEquals((await json("/embeddings", { input: "a" })).data.length, 1);
    assertEquals(
      (await errorOf(post("/v1/v1/chat/completions", chat), 404)).message,
      "There is nothing at this path; did you mean /v1/chat/completions?",
    );
    assertEquals((await errorOf(get("/v2"), 404)).message, "There is nothing at this path");
    const routes = heard.filter(([name]) => name === "answered").map(([, { route }]: Json) => route);
    assert(routes.includes("/v1/chat/completions") && !routes.includes("/chat/completions"));
  });

  await t.step("the fingerprint is the model's, in all answers", async () => {
    const { fingerprint } = model.info;
    assert(/^fp_[0-9a-f]{12}$/.test(fingerprint));
    const events = (await eventsOf(await post(CHAT, { ...chat, stream: true }))).slice(0, -1) as Json[];
    const all = [await json(CHAT, chat), await json(TEXT, { prompt: "a", max_tokens: 1 }), ...events];
    assertEquals(new Set(all.map((each) => each.system_fingerprint)), new Set([fingerprint]));
  });

  await t.step("prompts that do not fit, in the words that clients know", async () => {
    const prompt = "word ".repeat(600);
    const { contextLength } = model.info;
    const read = ({ message }: { message: string }) => {
      const match =
        /^This model's maximum context length is (\d+) tokens\. However, you requested (\d+) tokens \((\d+) in the (messages|prompt), (\d+) in the completion\)/
          .exec(message);
      return match?.slice(1).map((part) => Number(part) || part);
    };
    const count = (await model.tokenize(prompt)).length;
    const error = await errorOf(post(TEXT, { prompt, max_tokens: 10 }), 400);
    assertEquals([error.code, error.type], ["context_length_exceeded", "invalid_request_error"]);
    assertEquals(read(error), [contextLength, count + 10, count, "prompt", 10]);
    const chatError = await errorOf(
      post(CHAT, { messages: [{ role: "user", content: prompt }], max_tokens: 5 }),
      400,
    );
    assertEquals(read(chatError)?.slice(3), ["messages", 5]);
    const open = await errorOf(post(TEXT, { prompt }), 400);
    assert(open.message.includes(`maximum context length is ${contextLength} tokens`), open.message);
    assert(open.message.includes(`your prompt resulted in ${count} tokens`), open.message);
    const input = await errorOf(post("/v1/embeddings", { input: prompt }), 400);
    assert(input.message.includes(`your input resulted in ${count} tokens`), input.message);
    assertEquals(input.code, "context_length_exceeded");
  });
});

Deno.test("keys may come in any of the headers that clients have for them", async () => {
  await using server = await startServer({ apiKeys: [KEY] });
  const status = async (headers: Record<string, string>) => {
    const response = await server.get("/v1/models", { headers });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await status({ "x-api-key": KEY }), 200);
  assertEquals(await status({ "api-key": KEY }), 200);
  assertEquals(await status({ authorization: "Bearer placeholder", "x-api-key": KEY }), 200);
  assertEquals(await status({ authorization: "Basic abc", "api-key": KEY }), 200);
  assertEquals(await status({ "x-api-key": `${KEY}x` }), 401);
  assertEquals(await status({}), 401);
  assertEquals(await (await server.get("/health")).json(), { status: "ok" });
  assertEquals((await errorOf(server.get("/models"), 401)).code, "missing_api_key");
});

Deno.test("a lenient server ignores unknown fields and says so once for each", async () => {
  const { error } = console;
  const said: string[] = [];
  console.error = (...words: unknown[]) => void said.push(words.join(" "));
  try {
    await using server = await startServer({ lenient: true });
    const messages = [{ ...QUESTION[0], mood: 1 }];
    for (let i = 0; i < 2; i++) {
      const { choices }: Json = await (await server.post(CHAT, { messages, temperature: 0, "a\x1b": 1 }))
        .json();
      assertEquals(choices[0].message.content, ANSWER);
    }
    await errorOf(server.post(CHAT, { messages, n: 0 }), 400);
    await errorOf(server.post(CHAT, { messages, tools: [{ type: "function" }] }), 400);
    const { data }: Json = await (await server.post("/v1/embeddings", { input: "a", mood: 1 })).json();
    assertEquals(data.length, 1);
    const metrics = await (await server.get("/metrics")).text();
    const counts = metrics.matchAll(/^kumi:ignored_fields_total\{.*field="([^"]*)"\} (\d+)$/gm);
    assertEquals(Array.from(counts, ([, name, count]) => [name, Number(count)]), [
      ["a\x1b", 2],
      ["messages[].mood", 4],
      ["mood", 1],
    ]);
  } finally {
    console.error = error;
  }
  const ignored = said.filter((line) => line.includes("ignored"));
  assertEquals(ignored.map((line) => /"(.*)"/.exec(line)?.[1]), ["a\\u001b", "messages[].mood", "mood"]);
});
