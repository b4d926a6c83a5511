import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { EngineClient } from "./client.ts";
import { EngineError } from "./errors.ts";
import type { FromEngine, GenerationRequest, ModelInfo, ToEngine } from "./protocol.ts";
import type { Transport } from "./transport.ts";

/** An engine that does what the test says. */
class FakeTransport implements Transport {
  readonly sent: ToEngine[] = [];
  terminated = false;
  onMessage: (message: FromEngine) => void = () => {};
  onDeath: (reason: string) => void = () => {};
  readonly #answer: (message: ToEngine, self: FakeTransport) => void;

  constructor(answer: (message: ToEngine, self: FakeTransport) => void) {
    this.#answer = answer;
  }

  post(message: ToEngine): void {
    this.sent.push(structuredClone(message));
    queueMicrotask(() => this.#answer(message, this));
  }

  listen(onMessage: (message: FromEngine) => void, onDeath: (reason: string) => void): void {
    this.onMessage = onMessage;
    this.onDeath = onDeath;
  }

  terminate(): void {
    this.terminated = true;
  }
}

const info = { architecture: "llama", vocab: 10 } as ModelInfo;
const request = { prompt: { text: "" } } as unknown as GenerationRequest;
const options = { path: "m.gguf", engine: {} };

function obedient(message: ToEngine, self: FakeTransport): void {
  if (message.type === "load") self.onMessage({ type: "loaded", info });
  if (message.type === "close") self.onMessage({ type: "closed" });
}

Deno.test("EngineClient.start() gives the model's info and close() waits for the engine", async () => {
  const transport = new FakeTransport(obedient);
  const client = await EngineClient.start(transport, options);
  assertEquals(client.info, info);
  await client.close();
  await client.close();
  assertEquals(transport.terminated, true);
  assertThrows(() => client.generate(request), EngineError, "closed");
});

Deno.test("EngineClient.start() rejects with the engine's error and leaves nothing behind", async () => {
  const transport = new FakeTransport((message, self) => {
    if (message.type === "load") {
      self.onMessage({ type: "failed", error: { name: "ModelError", message: "bad" } });
    } else obedient(message, self);
  });
  const error = await assertRejects(() => EngineClient.start(transport, options), Error, "bad");
  assertEquals((error as Error).name, "ModelError");
  assertEquals(transport.terminated, true);
});

Deno.test("EngineClient.start() rejects with the signal's reason while loading", async () => {
  const controller = new AbortController();
  const transport = new FakeTransport((message, self) => {
    if (message.type === "load") controller.abort(new DOMException("enough", "AbortError"));
    if (message.type === "close") self.onMessage({ type: "closed" });
  });
  await assertRejects(
    () => EngineClient.start(transport, { ...options, signal: controller.signal }),
    DOMException,
    "enough",
  );
  assertEquals(transport.terminated, true);
});

Deno.test("EngineClient rejects everything pending when the engine dies", async () => {
  const transport = new FakeTransport(obedient);
  const client = await EngineClient.start(transport, options);
  const generation = client.generate(request);
  const tokens = client.tokenize("a", { addSpecial: true, parseSpecial: false });
  transport.onDeath("out of luck");
  await assertRejects(() => generation.result, EngineError, "out of luck");
  await assertRejects(() => tokens, EngineError, "out of luck");
  assertThrows(() => client.generate(request), EngineError, "out of luck");
  await client.close();
});

Deno.test("EngineClient notices an engine that shows no sign of life", async () => {
  const transport = new FakeTransport(obedient);
  const client = await EngineClient.start(transport, { ...options, heartbeatMs: 40 });
  const generation = client.generate(request);
  await assertRejects(() => generation.result, EngineError, "no sign of life");
  await client.close();
});

Deno.test("EngineClient delivers steps to their requests and keeps errors apart", async () => {
  const transport = new FakeTransport(obedient);
  await using client = await EngineClient.start(transport, options);
  const good = client.generate(request), bad = client.generate(request);
  const timings = { totalMs: 1 }, usage = { promptTokens: 1, completionTokens: 1 };
  transport.onMessage({
    type: "step",
    events: [
      { id: 1, text: "x", completion: { finishReason: "stop", usage, timings, seed: 1 } },
      { id: 2, text: "", error: { name: "RangeError", message: "too long" } },
    ],
  });
  assertEquals((await good.result).text, "x");
  assertInstanceOf(await bad.result.catch((error) => error), RangeError);
});

Deno.test("EngineClient sends an abort for a signal, once the request has been sent", async () => {
  const transport = new FakeTransport(obedient);
  await using client = await EngineClient.start(transport, options);
  client.generate(request, AbortSignal.abort());
  const controller = new AbortController();
  client.generate(request, controller.signal);
  controller.abort();
  assertEquals(transport.sent.map(({ type }) => type), ["load", "generate", "abort", "generate", "abort"]);
});
