/** Objects and tools by the helpers of clients of others. Skipped by name where they cannot be had. */

import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import { type Module, npmModules } from "./support/npm.ts";
import { startServer } from "./support/server.ts";

const anthropic = await npmModules("@anthropic-ai/sdk@1", "@anthropic-ai/sdk@1/helpers/beta/zod");

const named = (name: string, modules: readonly Module[] | null) =>
  modules === null ? `${name} (skipped: npm's registry cannot be reached)` : name;
/** Their connections stay open for a while. */
const LOOSE = { sanitizeResources: false, sanitizeOps: false };

const SUM = z.object({ a: z.number().int().min(0).max(99), b: z.number().int().min(0).max(99) });
const QUESTION = [{ role: "user", content: "What is 17 + 25?" }];
const DESCRIPTION = "Adds two numbers.";

const isSum = (value: unknown) => assertEquals(SUM.parse(value), value);

/** A handler that writes down what it was called with. */
function adder() {
  const seen: z.infer<typeof SUM>[] = [];
  return { seen, add: (given: z.infer<typeof SUM>) => (seen.push(given), String(given.a + given.b)) };
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

Deno.test({
  name: named("npm's @anthropic-ai/sdk: the tool runner, streams", anthropic),
  ignore: anthropic === null,
  ...LOOSE,
  fn: async (t) => {
    await using server = await startServer();
    const [{ default: Anthropic }, { betaZodTool }] = anthropic!;
    const client = new Anthropic({ baseURL: server.url, apiKey: "any", maxRetries: 0 });

    await t.step("the tool runner, whole and streamed", async () => {
      const { seen, add: run } = adder();
      const tools = [betaZodTool({ name: "add", description: DESCRIPTION, inputSchema: SUM, run })];
      for (const stream of [false, true]) {
        const runner = client.beta.messages.toolRunner({
          model: "demo",
          max_tokens: 60,
          max_iterations: 2,
          stream,
          messages: QUESTION,
          tool_choice: { type: "tool", name: "add", disable_parallel_tool_use: true },
          tools,
        });
        let rounds = 0;
        for await (const message of runner) {
          rounds++;
          if (stream) await collect(message);
        }
        assertEquals(rounds, 2);
      }
      assert(seen.length >= 2);
      seen.forEach(isSum);
    });

    await t.step("input as it is written", async () => {
      let json = "";
      const stream = client.messages.stream({
        model: "demo",
        max_tokens: 60,
        messages: QUESTION,
        tools: [{ name: "add", input_schema: z.toJSONSchema(SUM) }],
        tool_choice: { type: "any", disable_parallel_tool_use: true },
      });
      stream.on("inputJson", (delta: string) => json += delta);
      const { content, stop_reason } = await stream.finalMessage();
      assertEquals([JSON.parse(json), stop_reason], [content[0].input, "tool_use"]);
      isSum(content[0].input);
    });
  },
});
