// Asks the bundled toy model a question: deno task run examples/chat.ts
import { loadModel } from "../mod.ts";

await using model = await loadModel("demo");
for await (const part of model.chat([{ role: "user", content: "Hi! Who are you?" }])) {
  await Deno.stdout.write(new TextEncoder().encode(part));
}
