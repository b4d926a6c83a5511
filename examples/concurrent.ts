// Many requests at once are simply computed together: deno task run examples/concurrent.ts model.gguf
import { loadModel } from "../mod.ts";

const [path = "demo"] = Deno.args;
const questions = ["What is 17 + 25?", "Who are you?", "What is a KV cache?", "What is 40 + 2?"];

await using model = await loadModel(path);
const startedAt = performance.now();
const answers = await Promise.all(
  questions.map((content) => model.chat([{ role: "user", content }], { temperature: 0 }).result),
);
const seconds = (performance.now() - startedAt) / 1000;

answers.forEach(({ text }, i) => console.log(`${questions[i]}\n  ${text}`));
const tokens = answers.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
console.error(`${tokens} tokens of ${answers.length} answers in ${seconds.toFixed(2)} s`);
