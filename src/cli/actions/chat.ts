/** What `kumi chat` does. @module */

import { ChatSession } from "../chat_session.ts";
import type { Arguments } from "../command.ts";
import { LineReader } from "../line_reader.ts";
import { loadModelWithProgress } from "../model_option.ts";
import { samplingOptions } from "../sampling_options.ts";
import { formatBytes, formatCount } from "../units.ts";
import { counted } from "../counted.ts";
import { SignalCount } from "../../process/signal_count.ts";
import { aboutNamedModel, NAMED_MODELS } from "../../hub/named_models.ts";
import type { ModelInfo } from "../../protocol/model_info.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine } from "../../process/print.ts";

/** A file may call its model anything. */
const NAME_CHARACTERS_MAX = 120;

/** Interactive on a terminal; with stdin from a pipe each line is one message. */
export async function runChat(args: Arguments): Promise<number> {
  const isDemo = args.values.get("model") === "demo";
  const options = samplingOptions(args);
  await using model = await loadModelWithProgress(args);
  const interactive = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  printLine(welcome(model.info, isDemo));
  using reader = new LineReader(interactive);
  const signals = new SignalCount();
  const onSignal = () => {
    if (signals.note() !== null) reader.interrupt();
  };
  Deno.addSignalListener("SIGINT", onSignal);
  try {
    const session = new ChatSession(model, reader, {
      // A toy is at its best near its likeliest words.
      sampling: isDemo ? { temperature: 0.3, ...options } : options,
      system: args.values.get("system"),
      showSpeed: args.switches.has("stats"),
    });
    return await session.run();
  } finally {
    Deno.removeSignalListener("SIGINT", onSignal);
  }
}

function welcome(info: ModelInfo, isDemo: boolean): string {
  const lines = [
    `kumi · ${oneLine(info.name ?? info.architecture, NAME_CHARACTERS_MAX)}, ${
      formatCount(info.parameters)
    } parameters, ` +
    `${formatBytes(info.weightBytes)}; context ${info.contextLength} tokens; ${
      counted(info.threads, "thread")
    }, ${info.isa}`,
  ];
  if (isDemo) {
    lines.push(
      "",
      "This is a toy of three million parameters that comes with kumi, so that you can try it without a download.",
      "It can greet, say what it is, explain a KV cache or batching, add up to 99, tell a very short story",
      "and write a small JSON object. It knows nothing else. For a real model:",
      "",
      ...NAMED_MODELS.map((model) =>
        `  deno task chat --model ${aboutNamedModel(model).replace(":", "  #")}`
      ),
      "  deno task chat --model path/to/model.gguf",
      "  deno task chat --model hf:owner/repo/file.gguf",
    );
  }
  lines.push("", "Ctrl-C stops an answer, Ctrl-D or /exit ends, /help tells more.", "");
  return lines.join("\n");
}
