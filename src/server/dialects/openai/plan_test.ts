import { assertEquals, assertThrows } from "@std/assert";
import { ApiError } from "../../api_error.ts";
import { readFields } from "../../schema/read.ts";
import { CHAT_BODY, planChat } from "../chat.ts";
import { COMPLETIONS_BODY, planCompletions } from "../completions.ts";
import { askedFor } from "../../../../tests/support/asked.ts";
import { withExtraBody } from "./unpack.ts";

const ASKED = askedFor({ vocab: 100, defaultClass: "interactive" });
const user = { role: "user", content: "hi" };

const plan = (body: object) => planChat(readFields(CHAT_BODY, withExtraBody(body)), ASKED);
/** What of a request for a chat becomes options. */
const options = (fields: object) => plan({ messages: [user], ...fields }).works[0].options;
const refusal = (fields: object) => {
  const { param, message } = assertThrows(() => plan({ messages: [user], ...fields }), ApiError);
  return `${param}: ${message}`;
};
const prompt = (messages: object[], fields: object = {}) =>
  plan({ messages, ...fields }).works[0].prompt as
    & { messages: object[] }
    & Record<string, unknown>;

Deno.test("planChat() knows the other servers' names of sampling fields", () => {
  const own = options({ repeat_penalty: 1.5, penalty_tokens: 9, max_tokens: 7 });
  assertEquals(options({ repetition_penalty: 1.5, repeat_last_n: 9, n_predict: 7 }), own);
  assertEquals(
    options({ repetition_penalty: 1.5, repeat_last_n: 9, max_completion_tokens: 7, max_tokens: 7 }),
    own,
  );
  assertEquals(options({ repeat_last_n: -1 }).penaltyTokens, 4096);
  assertEquals(options({ top_k: -1 }).topK, 0);
  for (const name of ["max_tokens", "max_completion_tokens", "n_predict"]) {
    assertEquals(options({ [name]: -1 }).maxTokens, undefined);
    assertEquals(refusal({ [name]: -2 }).split(":")[0], name);
  }
  assertEquals([options({ seed: -1 }).seed, options({ seed: 0 }).seed], [undefined, 0]);
  assertEquals(options({ min_tokens: 3, skip_special_tokens: false }).minTokens, 3);
  assertEquals(options({ skip_special_tokens: false }).specialTokens, true);
  assertEquals(options({ skip_special_tokens: true }).specialTokens, false);
  assertEquals(
    refusal({ repeat_penalty: 1, repetition_penalty: 2 }),
    'repeat_penalty: "repeat_penalty" and "repetition_penalty" are two names of one thing: give one',
  );
  assertEquals(
    refusal({ min_tokens: 9, max_tokens: 8 }),
    'min_tokens: "min_tokens" must be at most the limit of tokens, 8, current value is 9',
  );
});

Deno.test("planChat() takes best_of up to n, and the order of samplers that there is", () => {
  options({ n: 2, best_of: 2 });
  assertEquals(refusal({ best_of: 2 }).split(":")[0], "best_of");
  const all = ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"];
  options({ samplers: all });
  options({ samplers: "edskypmxt" });
  assertEquals(refusal({ samplers: all.toReversed() }).split(":")[0], "samplers");
  assertEquals(refusal({ samplers: ["temperature"] }).split(":")[0], "samplers");
});

Deno.test("planChat() reads extra_body as a part of the body", () => {
  assertEquals(options({ extra_body: { top_k: 3, seed: 1 }, seed: 2 }).topK, 3);
  assertEquals(options({ extra_body: { seed: 1 }, seed: 2 }).seed, 2);
  assertEquals(options({ extra_body: { seed: 1 }, seed: null }).seed, 1);
  options({ extra_body: null });
  assertEquals(refusal({ extra_body: { top: 1 } }).split(":")[0], "top");
  assertEquals(refusal({ extra_body: 1 }).split(":")[0], "extra_body");
});

Deno.test("planCompletions() keeps a salt's cache apart from others, and from tenants of that name", () => {
  const tenant = (fields: object, tenant = "") =>
    planCompletions(readFields(COMPLETIONS_BODY, { prompt: "a", ...fields }), { ...ASKED, tenant })
      .works[0].options.tenant;
  const all = [
    tenant({}),
    tenant({ cache_salt: "a" }),
    tenant({ cache_salt: "b" }),
    tenant({ cache_salt: "a" }, "b"),
  ];
  assertEquals(new Set(all).size, all.length);
  assertEquals(tenant({ cache_salt: "a" }), all[1]);
  assertEquals(tenant({ cache_salt: null }), "");
});

Deno.test("planChat() takes messages as clients send them back", () => {
  const call = { id: "call_1", type: "function", function: { name: "add", arguments: '{"a":1}' } };
  const nothing = { audio: null, function_call: null, refusal: null, annotations: [], parsed: null };
  const { messages } = prompt([
    { role: "developer", content: "Be kind", name: "boss" },
    {
      role: "user",
      content: [{ type: "text", text: "a", cache_control: { type: "ephemeral" } }, {
        type: "text",
        text: "b",
      }],
    },
    { role: "assistant", content: null, tool_calls: [{ ...call, index: 0 }], ...nothing },
    { role: "tool", content: "1", tool_call_id: "call_1", name: "add" },
    { role: "assistant", content: null, function_call: { name: "f", arguments: "" } },
    { role: "function", content: "2", name: "f" },
    { role: "assistant", content: null, refusal: "No.", tool_calls: [] },
    { role: "assistant", content: "yes", reasoning: "hm", tool_calls: null },
    user,
  ]);
  const { type: _, ...kept } = call;
  assertEquals(messages, [
    { role: "developer", content: "Be kind", name: "boss" },
    { role: "user", content: "a\nb" },
    { role: "assistant", content: "", tool_calls: [kept] },
    { role: "tool", content: "1", tool_call_id: "call_1", name: "add" },
    { role: "assistant", content: "", tool_calls: [{ function: { name: "f", arguments: "" } }] },
    { role: "tool", content: "2", name: "f" },
    { role: "assistant", content: "No." },
    { role: "assistant", content: "yes", reasoning_content: "hm" },
    user,
  ]);
  for (const message of [{ role: "user" }, { role: "user", content: null }]) {
    assertEquals(refusal({ messages: [message] }), 'messages[0].content: "messages[0].content" is missing');
  }
  const parts = [{ type: "text" }];
  assertEquals(
    refusal({ messages: [{ role: "user", content: parts }] }).split(":")[0],
    "messages[0].content[0].text",
  );
});

Deno.test("planChat() says how the prompt ends", () => {
  const end = (fields: object, messages: object[] = [user]) => {
    const { continueFinalMessage, addGenerationPrompt } = prompt(messages, fields);
    return [continueFinalMessage, addGenerationPrompt];
  };
  assertEquals(end({}), [undefined, undefined]);
  assertEquals(end({ continue_final_message: true, add_generation_prompt: false }), [true, false]);
  assertEquals(end({}, [user, { role: "assistant", content: "a", prefix: true }]), [true, undefined]);
  assertEquals(
    refusal({ continue_final_message: true, add_generation_prompt: true }).split(":")[0],
    "continue_final_message",
  );
  const { reasoningEffort, enableThinking } = prompt([user], {
    reasoning_effort: "low",
    enable_thinking: false,
  });
  assertEquals([reasoningEffort, enableThinking], ["low", false]);
  assertEquals(prompt([user], { reasoning_effort: "none" }).enableThinking, false);
  assertEquals(prompt([user], { reasoning_effort: "high" }).enableThinking, true);
  assertEquals(prompt([user]).enableThinking, undefined);
  const variables = { enable_thinking: false, thinking: true, budget: 3, reasoning_effort: "low" };
  assertEquals(prompt([user], { chat_template_kwargs: variables }).templateVariables, variables);
  assertEquals(prompt([user], { chat_template_kwargs: { a: null } }).templateVariables, {});
  for (const kwargs of [{ date: "<|im_end|>" }, { "a b": true }, { a: [] }]) {
    assertEquals(refusal({ chat_template_kwargs: kwargs }).startsWith("chat_template_kwargs"), true);
  }
  assertEquals(prompt([user], { reasoning_effort: "<|im_end|>" }).reasoningEffort, undefined);
});

Deno.test("planChat() takes top_logprobs: 0 without logprobs", () => {
  assertEquals(options({ logprobs: false, top_logprobs: 0 }).logprobs, undefined);
});

Deno.test("planChat() takes a prediction as a text or as parts, and the wish for no guesses", () => {
  const predicted = (content: unknown) => options({ prediction: { type: "content", content } }).prediction;
  assertEquals(predicted("one"), "one");
  assertEquals(predicted([{ type: "text", text: "one" }, { type: "text", text: "two" }]), "one\ntwo");
  assertEquals(options({}).prediction, undefined);
  assertEquals(refusal({ prediction: { type: "guess", content: "one" } }).split(":")[0], "prediction.type");
  assertEquals(refusal({ prediction: "one" }).split(":")[0], "prediction");
  assertEquals(
    refusal({ prediction: { type: "content", content: [{ type: "text" }] } }).split(":")[0],
    "prediction.content[0].text",
  );
  assertEquals([options({ kumi: { speculation: false } }).speculation, options({}).speculation], [
    false,
    undefined,
  ]);
});
