// The AI SDK with a model in this process: deno task run examples/ai_sdk.ts
import { generateText, isStepCount, streamText, tool } from "npm:ai@7";
import { z } from "zod";
import { loadModel } from "../mod.ts";
import { createKumi } from "../src/ai_sdk/mod.ts";

await using model = await loadModel("demo");
const kumi = createKumi(model);

const { textStream } = streamText({ model: kumi(), prompt: "What is a KV cache?", temperature: 0 });
for await (const part of textStream) await Deno.stdout.write(new TextEncoder().encode(part));

const number = z.number().int().min(0).max(99);
const add = tool({
  description: "Adds two numbers.",
  inputSchema: z.object({ a: number, b: number }),
  execute: ({ a, b }) => a + b,
});
const { steps } = await generateText({
  model: kumi(),
  prompt: "What is 17 + 25?",
  tools: { add },
  toolChoice: "required",
  stopWhen: isStepCount(1),
});
console.log("\ncalled", steps[0].toolCalls[0].toolName, "which gave", steps[0].toolResults[0].output);
