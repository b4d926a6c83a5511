import { assertEquals, assertMatch } from "@std/assert";
import { Generation } from "../client/generation.ts";
import type { GenerationOptions } from "../protocol/options/generation.ts";
import type { Model } from "../client/model.ts";
import type { ChatMessage } from "../protocol/request.ts";
import { ChatSession } from "./chat_session.ts";
import type { LineEvent, LineReader } from "./line_reader.ts";

/** What a session prints. */
async function printedBy(run: () => Promise<unknown>): Promise<string> {
  const { stdout } = Deno;
  const writeSync = stdout.writeSync;
  let text = "";
  stdout.writeSync = (bytes) => {
    text += new TextDecoder().decode(bytes);
    return bytes.length;
  };
  try {
    await run();
  } finally {
    stdout.writeSync = writeSync;
  }
  return text;
}

Deno.test("ChatSession keeps an answer that Ctrl-C stops as far as it came, and goes on", async () => {
  const asked: ChatMessage[][] = [];
  const lines = ["Hi", "Go on"];
  const reader = {
    interactive: false,
    onInterrupt: undefined as (() => void) | undefined,
    next: (): Promise<LineEvent> => {
      const text = lines.shift();
      return Promise.resolve(text === undefined ? { kind: "end" } : { kind: "line", text });
    },
  };
  const model = {
    chat(messages: readonly ChatMessage[], { signal }: GenerationOptions): Generation {
      asked.push(structuredClone([...messages]));
      const generation = new Generation(() => {}, {}, { signal });
      const end = (finishReason: "abort" | "stop") =>
        generation.push({
          id: 1,
          tokens: [],
          text: "",
          completion: {
            finishReason,
            usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1 },
            timings: { totalMs: 1 },
            seed: 1,
          },
        });
      generation.push({ id: 1, tokens: [1], text: `answer ${asked.length}` });
      if (asked.length > 1) end("stop");
      else {
        signal!.addEventListener("abort", () => end("abort"));
        setTimeout(() => reader.onInterrupt!(), 0);
      }
      return generation;
    },
  };
  const session = new ChatSession(model as unknown as Model, reader as unknown as LineReader, {
    sampling: {},
    showSpeed: false,
  });
  const printed = await printedBy(() => session.run());
  assertMatch(printed, /answer 1 … \(stopped\)\nanswer 2\n$/);
  assertEquals(asked[1].map(({ content }) => content), ["Hi", "answer 1", "Go on"]);
});
