/** The other endpoint and the questions, at an endpoint that is there for it. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { runAgainst } from "./against.ts";
import { evaluate, tokensFor } from "./evaluate.ts";
import { parseEvalSet } from "./grade.ts";
import type { Target } from "../loadtest/target.ts";
import { sampleReport } from "../../tests/support/trial_report.ts";

interface Asked {
  readonly key: string | null;
  readonly body: Record<string, unknown>;
}

/** Speaks OpenAI's chat: a token for each word of a prompt; answers as `say` has it. */
function endpoint(say: (text: string) => string, asked: Asked[] = []) {
  const controller = new AbortController();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", signal: controller.signal, onListen: () => {} },
    async (request) => {
      const body = await request.json();
      asked.push({ key: request.headers.get("authorization"), body });
      const text: string = body.messages.at(-1).content;
      if (text.includes("FAIL")) return Response.json({ error: { message: "no" } }, { status: 500 });
      const usage = {
        prompt_tokens: text.split(" ").length,
        completion_tokens: Math.min(4, body.max_tokens),
        total_tokens: text.split(" ").length + 4,
      };
      if (!body.stream) return Response.json({ choices: [{ message: { content: say(text) } }], usage });
      const events = Array.from(
        { length: usage.completion_tokens },
        () => ({ choices: [{ delta: { content: "x" } }] }),
      );
      const lines = [...events, { choices: [], usage }].map((event) => `data: ${JSON.stringify(event)}\n\n`);
      return new Response(`${lines.join("")}data: [DONE]\n\n`, {
        headers: { "content-type": "text/event-stream" },
      });
    },
  );
  const target: Target = {
    baseUrl: `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}/v1`,
    apiKey: "secret-key",
    model: "other",
    api: "chat",
    sendsClass: false,
    ignoreEnd: false,
  };
  return {
    target,
    asked,
    [Symbol.asyncDispose]: async () => {
      controller.abort();
      await server.finished;
    },
  };
}

const { objectives } = sampleReport();
const ARRIVALS = Array.from({ length: 10 }, (_, i) => ({
  atMs: 10 * i,
  class: "interactive",
  promptTokens: 60,
  maxTokens: 40,
}));
const LOAD = { arrivals: ARRIVALS, seconds: 0.1, drainMs: 5000, perSecond: 100, objectives };

Deno.test("runAgainst() sends the load with the key, within the cap, and nothing that only kumi knows", async () => {
  await using other = endpoint(() => "ok");
  const { signal } = new AbortController();
  const result = await runAgainst({ ...LOAD, target: other.target, tokensMax: 100_000, signal });
  assertEquals([result.measures?.all.ok, result.capped, result.problem], [10, false, undefined]);
  assertEquals(result.url, other.target.baseUrl);
  assert(result.spentTokens > 10 * 50 && result.spentTokens < 2000, `${result.spentTokens}`);
  assert(other.asked.every(({ key }) => key === "Bearer secret-key"));
  assert(other.asked.every(({ body }) => !("class" in body) && !("ignore_eos" in body)));
  assert(!JSON.stringify(result).includes("secret-key"));

  other.asked.length = 0;
  const capped = await runAgainst({ ...LOAD, target: other.target, tokensMax: 700, signal });
  // 200 for finding out how long words are, then five requests of up to 100.
  assertEquals([capped.measures?.all.requests, capped.capped], [5, true]);
  assertEquals(other.asked.length, 2 + 5);
  const none = await runAgainst({ ...LOAD, target: other.target, tokensMax: 250, signal });
  assertEquals([none.measures, none.spentTokens], [null, 0]);
});

Deno.test("runAgainst() says what is wrong with an endpoint instead of failing the trial", async () => {
  const target = await (async () => {
    await using gone = endpoint(() => "");
    return gone.target;
  })();
  const { signal } = new AbortController();
  const result = await runAgainst({ ...LOAD, target, tokensMax: 1e6, signal });
  assertEquals(result.measures, null);
  assert(result.problem!.includes("cannot be reached"), result.problem);
});

const QUESTIONS = parseEvalSet(
  [
    { id: "sum", language: "en", question: "17 + 26?", expect: { number: 43 } },
    { id: "city", language: "ja", question: "首都は？", expect: { text: "東京" } },
    { id: "wrong", language: "en", question: "Say no", expect: { text: "yes" } },
    { id: "gone", language: "en", question: "FAIL", expect: { text: "yes" } },
    { id: "style", language: "en", question: "Write politely", expect: { judge: "is polite" } },
  ].map((each) => JSON.stringify(each)).join("\n"),
);

Deno.test("evaluate() grades what is answered and tells what is not, with a judge and without", async () => {
  await using other = endpoint((text) =>
    text.includes("17") ? "It is 43." : text.includes("首都") ? "東京です。" : "no"
  );
  await using judge = endpoint((text) =>
    JSON.parse(text).criterion === "is polite" ? "Rude.\nVERDICT: FAIL" : "?"
  );
  const { signal } = new AbortController();
  const about = { subject: "alternative" as const, name: "other", quantisation: null };
  const common = { ...about, questions: QUESTIONS, parallel: 3, timeoutMs: 5000, signal, until: signal };
  const { result } = await evaluate({ ...common, target: other.target, judge: null });
  assertEquals(result.failed, ["wrong"]);
  assertEquals([result.passed, result.graded, result.unanswered], [2, 3, 2]);
  assertEquals(result.byLanguage, { en: { passed: 1, graded: 2 }, ja: { passed: 1, graded: 1 } });
  const judged = await evaluate({ ...common, target: other.target, judge: judge.target });
  assertEquals(judged.result.failed, ["wrong", "style"]);
  assertEquals(judged.result.byKind.judge, { passed: 0, graded: 1 });
  assert(judged.tokens > 0 && tokensFor(QUESTIONS) > 5 * 256);

  // Out of time: nothing is graded, and nothing thrown.
  const late = AbortSignal.abort();
  const none = await evaluate({ ...common, target: other.target, judge: null, until: late });
  assertEquals([none.result.graded, none.result.unanswered], [0, 5]);
  await assertRejects(() => evaluate({ ...common, target: other.target, judge: null, signal: late }));
});
