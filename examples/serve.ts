// Serves the bundled toy model to OpenAI's clients: deno task run examples/serve.ts [model.gguf] [port]
import { runUntilSignal, serve } from "../mod.ts";

const [model = "demo", port = "8080"] = Deno.args;
const status = await runUntilSignal(() =>
  serve({ model, port: Number(port), onListen: (url) => console.error(`listening on ${url}`) })
);
Deno.exit(status);
