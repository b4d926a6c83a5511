/** What an operator sees of a server: /metrics, /v1/queue, the access log. */
import { assert, assertEquals } from "@std/assert";
import { serve } from "../mod.ts";
import { DEFAULT_CLASSES } from "../scheduler/mod.ts";

Deno.test("serve() tells in /metrics, /v1/queue and the access log what it did", async () => {
  const lines: string[] = [];
  const classes = DEFAULT_CLASSES.map((each) => ({ ...each, queueLimit: { requests: 100, tokens: 60 } }));
  await using server = serve({ port: 0, canaryMs: 0, classes, accessLog: (line) => lines.push(line) });
  await server.ready;
  const ask = async (body: Record<string, unknown>) => {
    const messages = [{ role: "user", content: "What is 17 + 25?" }];
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages, temperature: 0, ...body }),
    });
    return { status: response.status, text: await response.text() };
  };
  assert((await ask({})).text.includes("17 + 25 = 42."));
  assert((await ask({ stream: true, class: "batch", n: 2 })).text.endsWith("[DONE]\n\n"));
  assertEquals((await ask({ temperature: 99 })).status, 400);
  // More tokens than the queue ever takes.
  const long = { messages: [{ role: "user", content: "What is 17 + 25? ".repeat(20) }], class: "batch" };
  assertEquals((await ask(long)).status, 400);

  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const sample = (start: string) =>
    Number(metrics.split("\n").find((line) => line.startsWith(start))?.split(" ").at(-1));
  assertEquals(
    sample('vllm:time_to_first_token_seconds_count{model_name="demo",class="interactive"'),
    1,
  );
  assertEquals(sample('vllm:time_to_first_token_seconds_count{model_name="demo",class="batch"'), 2);
  assert(
    metrics.includes("kumi:ready") && metrics.includes("vllm:kv_cache_usage_perc"),
    metrics.slice(0, 300),
  );

  const refused = (reason: string, name: string) =>
    sample(`kumi:requests_refused_total{model_name="demo",class="${name}",reason="${reason}"}`);
  assertEquals([refused("invalid_value", "other"), refused("context_length_exceeded", "batch")], [1, 1]);
  assert(sample('kumi:connections{model_name="demo"}') >= 1);
  assertEquals(sample('kumi:connections_refused_total{model_name="demo",reason="header_timeout"}'), 0);

  const queue = await (await fetch(`${server.url}/v1/queue`)).json();
  assertEquals([queue.object, queue.ready, queue.classes.length, queue.workers.length], [
    "queue",
    true,
    2,
    1,
  ]);

  const entries = lines.map((line) => JSON.parse(line));
  const posts = entries.filter(({ method }) => method === "POST");
  assertEquals(posts.map(({ status, route }) => [status, route]), [
    [200, "/v1/chat/completions"],
    [200, "/v1/chat/completions"],
    [400, "/v1/chat/completions"],
    [400, "/v1/chat/completions"],
  ]);
  assertEquals(posts.map(({ reason }) => reason), [
    "stop",
    "stop",
    "invalid_value",
    "context_length_exceeded",
  ]);
  assertEquals([posts[2].class, posts[3].class], [undefined, "batch"]);
  assertEquals(posts[1].class, "batch");
  assertEquals(posts[1].completion_tokens, 2 * posts[0].completion_tokens);
  assert(!/What is| = /.test(lines.join("")), "an access log has no text of prompts or answers");
});
