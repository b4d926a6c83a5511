import { assert, assertEquals, assertRejects } from "@std/assert";
import { randomFrom } from "../../loadtest/random.ts";
import { UpstreamFailure } from "./failure.ts";
import { Meter } from "./meter.ts";
import { Patience } from "./patience.ts";
import { passing } from "./stream.ts";

const SAID = JSON.stringify({ choices: [{ index: 0, delta: { content: "hello" }, finish_reason: null }] });
const ENDED = JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });

/** Reads a stream of these parts to its end. */
async function read(parts: readonly Uint8Array[], breaks = false) {
  const left = [...parts];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const part = left.shift();
      if (part !== undefined) controller.enqueue(part);
      else if (breaks) controller.error(new Error("gone"));
      else controller.close();
    },
  });
  const response = new Response(body, { headers: { "content-type": "text/event-stream" } });
  const patience = new Patience(5000);
  const meter = new Meter(1);
  let texts = 0;
  try {
    for await (const event of passing(response, { patience, meter, stalledMs: 5000 })) texts += event.texts;
    return { texts, meter };
  } finally {
    patience.end();
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);
const failure = async (text: string) => {
  const error = await assertRejects(() => read([bytes(text)]), UpstreamFailure);
  return error.kind;
};

Deno.test("passing() gives events up to [DONE], or up to an end that the answer itself has told", async () => {
  assertEquals((await read([bytes(`data: ${SAID}\n\ndata: [DONE]\n\ndata: nonsense\n\n`)])).texts, 1);
  assertEquals((await read([bytes(`data: ${SAID}\n\ndata: ${ENDED}\n\n`)])).meter.finishReason, "stop");
  assertEquals((await read([bytes(`: hi\r\ndata: ${SAID}\r\rdata:[DONE]\n\n`)])).texts, 1);
});

Deno.test("passing() says what is wrong with a stream", async () => {
  assertEquals(await failure(`data: ${SAID}\n\n`), "unreachable");
  assertEquals(await failure(""), "unreachable");
  assertEquals(await failure("data: nonsense\n\n"), "malformed");
  assertEquals(await failure("data: [1]\n\n"), "malformed");
  assertEquals(await failure('data: {"error":{"message":"no memory"}}\n\n'), "status");
  assertEquals(await failure(`data: ${"x".repeat(20 << 20)}`), "malformed");
});

Deno.test("passing() ends or fails, whatever comes and wherever it is cut", async () => {
  const random = randomFrom(11);
  const one = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)];
  const pieces = [
    ...["data: ", "data:", "\n\n", "\r\n\r\n", "\r", ": comment\n\n", "event: error\n", "[DON", "null", "[]"],
    ...['{"choices":null}', '{"choices":[null,5,{}]}', '{"error":null}', '{"usage":{"prompt_tokens":-1}}'],
    ...['{"choices":[{"delta":{"tool_calls":[{"index":9}]}}]}', "[".repeat(2000), "\u0000", SAID],
    ...[`data: ${SAID}\n\n`, `data: ${ENDED}\n\n`, "data: [DONE]\n\n", "é"],
  ];
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const text = bytes(Array.from({ length: Math.floor(random() * 12) }, () => one(pieces)).join(""));
    const cut = Math.floor(random() * text.length);
    const parts = [text.slice(0, cut), text.slice(cut), ...random() < 0.1 ? [Uint8Array.of(0xff, 0xfe)] : []];
    try {
      await read(parts, random() < 0.2);
      seen.add("whole");
    } catch (error) {
      assert(error instanceof UpstreamFailure, Deno.inspect(error));
      seen.add(error.kind);
    }
  }
  assertEquals([...seen].sort(), ["malformed", "unreachable", "whole"]);
});
