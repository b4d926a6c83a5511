// Urgent requests beside bulk work: deno task run examples/classes.ts model.gguf
import { loadModel } from "../mod.ts";

const [path = "demo"] = Deno.args;
await using model = await loadModel(path);

// Bulk work waits for company and gives way; it is done when nobody waits for a word.
const stories = Array.from(
  { length: 12 },
  (_, i) =>
    model.chat([{ role: "user", content: "Tell me a very short story." }], { class: "batch", seed: i })
      .result,
);

// Somebody waits for this one. It need not wait for the stories.
const question = model.chat([{ role: "user", content: "What is 20 + 22?" }], {
  class: "interactive",
  temperature: 0,
  deadlineMs: 30_000,
});
const answer = await question.result;
console.log(`interactive: ${answer.text} (${answer.timings.totalMs.toFixed(0)} ms)`);

const done = await Promise.all(stories);
console.log(
  `batch: ${done.length} stories, the last after ${
    Math.max(...done.map(({ timings }) => timings.totalMs)).toFixed(0)
  } ms`,
);
const { workers } = await model.stats();
for (const { name, finished } of workers[0].classes) {
  console.log(`${name}: ${finished.stop} answers finished`);
}
