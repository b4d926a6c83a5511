// A model that calls a function of ours: deno task run examples/tools.ts
import { z } from "zod";
import { loadModel, tool } from "../mod.ts";

const number = z.number().int().min(0).max(99);
const add = tool({
  description: "Adds two numbers.",
  parameters: z.object({ a: number, b: number }),
  execute: ({ a, b }) => a + b,
});

await using model = await loadModel("demo");
const chat = model.chat([{ role: "user", content: "What is 17 + 25?" }], {
  tools: { add },
  toolChoice: "required", // the toy would not call it by itself
  maxRounds: 2,
  maxTokens: 60,
  temperature: 0,
});
for await (const event of chat.events()) {
  if (event.kind === "call") console.log(`calls ${event.call.name}(${JSON.stringify(event.call.arguments)})`);
  if (event.kind === "result") console.log(`gives ${event.result.text}`);
}
console.log((await chat.result).text);
