// Continues a text: deno task run examples/generate.ts "Once upon a time" model.gguf
import { loadModel } from "../mod.ts";

const [prompt = "Once upon a time", path = "demo"] = Deno.args;

await using model = await loadModel(path);
const { text, usage, timings } = await model.generate(prompt, { maxTokens: 64, temperature: 0 }).result;

console.log(prompt + text);
console.error(
  `${usage.promptTokens} + ${usage.completionTokens} tokens, the first after ${
    timings.ttftMs?.toFixed(0)
  } ms, ` +
    `then ${timings.decodeTokensPerSecond?.toFixed(0)} tokens/s`,
);
