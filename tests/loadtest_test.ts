/** `kumi loadtest` against a small server on a real socket that answers, refuses and breaks as it is told. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { chooseStd, stdFlags } from "../src/setup/import_map.ts";
import { commandPermissions } from "../src/cli/command_line.ts";
import { sendLoad, warmUp } from "../src/loadtest/generator.ts";
import { PromptMaker } from "../src/loadtest/prompts.ts";
import { summarize } from "../src/loadtest/summary.ts";
import { calibrate, firstModel, type Target, TargetError } from "../src/loadtest/target.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);
const encoder = new TextEncoder();

/** A request as the server read it. */
interface Seen {
  readonly path: string;
  readonly authorization: string | null;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

type Answer = (seen: Seen, request: Request) => Response | Promise<Response>;

/** Serves on a free port until disposed. Answers to /v1/models by itself. */
class FakeServer implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(answer: Answer) {
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
      const path = new URL(request.url).pathname;
      if (path === "/v1/models") return Response.json({ data: [{ id: "fake" }, { id: "other" }] });
      const body = await request.json();
      const seen = { path, body, authorization: request.headers.get("authorization") };
      this.seen.push(seen);
      // What calibration asks: a template of 7 tokens, words of 2.
      if (!body.stream) return Response.json({ usage: { prompt_tokens: 7 + 2 * wordsOf(seen).length } });
      return await answer(seen, request);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  get target(): Target {
    return { baseUrl: `${this.url}/v1`, model: "fake", api: "chat", sendsClass: false, ignoreEnd: false };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function wordsOf({ body }: Seen): string[] {
  return (body.prompt ?? body.messages[0].content).split(" ");
}

function chunk(content: string): string {
  return `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
}

function usage(completionTokens: number): string {
  const details = { cached_tokens: 3 };
  const value = { prompt_tokens: 20, completion_tokens: completionTokens, prompt_tokens_details: details };
  return `data: ${JSON.stringify({ choices: [], usage: value })}\n\n`;
}

/**
 * Sends parts one after another, each so many ms after the one before, or never; null breaks the connection.
 */
function stream(parts: readonly (readonly [afterMs: number, text: string | null])[]): Response {
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      try {
        for (const [afterMs, text] of parts) {
          await new Promise((resolve) => afterMs < Infinity && setTimeout(resolve, afterMs));
          if (text === null) return controller.error(new Error("broken on purpose"));
          controller.enqueue(encoder.encode(text));
        }
        controller.close();
      } catch {
        // The reader has left.
      }
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
}

const whole = (ttftMs: number, itlMs: number) =>
  stream([[0, chunk("")], [ttftMs, chunk("a")], [itlMs, chunk("b")], [itlMs, chunk("c") + usage(3)], [
    0,
    "data: [DONE]\n\n",
  ]]);

function loadOptions(target: Target, signal = new AbortController().signal, timeoutMs = 30_000) {
  const prompts = new PromptMaker({ fixed: 0, perWord: 1 }, { nonce: 1 });
  return { target, prompts, inFlightMax: 64, timeoutMs, signal };
}

const arrivals = (count: number, name = "a") =>
  Array.from({ length: count }, (_, i) => ({ atMs: i, class: name, promptTokens: 5, maxTokens: 3 }));

Deno.test("sendLoad() measures what a server takes for each token", async () => {
  await using server: FakeServer = new FakeServer(({ body }) =>
    body.max_tokens === 3 ? whole(30, 10) : whole(120, 40)
  );
  const slow = arrivals(10, "slow").map((each) => ({ ...each, maxTokens: 4 }));
  const both = [...arrivals(10, "fast"), ...slow].sort((a, b) => a.atMs - b.atMs);
  const records = await sendLoad(both, loadOptions(server.target));
  const { all, classes: [fast, slower] } = summarize(records, { itlStat: "mean" });
  assertEquals(all.outcomes, { ok: 20, refused: 0, failed: 0, cut: 0, skipped: 0 });
  assertEquals([all.promptTokens, all.completionTokens, all.cachedTokens], [400, 60, 60]);
  assertEquals(records.every(({ partsMs }) => partsMs.length === 3), true);
  // A timer never fires early, but for the rounding of a ms: what was served is a lower bound.
  assert(fast.ttftMs.p50! >= 29 && slower.ttftMs.p50! >= 119);
  assert(fast.ttftMs.p50! <= fast.ttftMs.p99! && fast.ttftMs.p99! <= fast.e2eMs.p99!);
  for (const { ttftMs, e2eMs } of [fast, slower]) assert(e2eMs.p50! > ttftMs.p50!);
});

Deno.test("sendLoad() tells how each request went wrong, and others go on", async () => {
  const done = "data: [DONE]\n\n";
  const answers: Record<number, () => Response> = {
    1: () =>
      Response.json({ error: { message: "queue full" } }, { status: 429, headers: { "retry-after": "7" } }),
    2: () => new Response("starting", { status: 503 }),
    3: () => Response.json({ error: { message: "no such field: class" } }, { status: 400 }),
    4: () => Response.json({ choices: [] }),
    5: () => stream([[0, chunk("a")], [0, "data: {broken\n\n" + done]]),
    6: () => stream([[0, chunk("a")], [5, null]]),
    7: () => stream([[0, chunk("a")]]),
    8: () => stream([[0, chunk("a") + 'data: {"error":{"message":"worker died"}}\n\n' + done]]),
    9: () => stream([[0, usage(1) + done]]),
    10: () => stream([[0, chunk("a")], [Infinity, done]]),
    11: () =>
      stream([[0, ": ping\n\nda"], [1, "ta: " + chunk("ä").slice(6, 30)], [1, chunk("ä").slice(30) + done]]),
    12: () => stream([[0, chunk("abc") + usage(30) + done]]),
  };
  await using server: FakeServer = new FakeServer(({ body }) => answers[body.max_tokens]());
  const due = Object.keys(answers).map((key) => ({ ...arrivals(1)[0], maxTokens: Number(key) }));
  const records = await sendLoad(due, loadOptions(server.target, undefined, 1500));
  const of = (key: number) => [records[key - 1].outcome, records[key - 1].status, records[key - 1].problem];
  assertEquals(of(1), ["refused", 429, "queue full"]);
  assertEquals(records[0].retryAfterSeconds, 7);
  assertEquals(of(2), ["refused", 503, "starting"]);
  assertEquals(of(3), ["failed", 400, "no such field: class"]);
  assertEquals(of(4), ["failed", 200, "content type application/json instead of text/event-stream"]);
  assertEquals(of(5), ["failed", 200, "an event that is no JSON object"]);
  assertEquals(of(6).slice(0, 2), ["failed", 200]);
  assertEquals(of(7), ["failed", 200, "the stream ended before [DONE]"]);
  assertEquals(of(8), ["failed", 200, "worker died"]);
  assertEquals(of(9), ["failed", 200, "an answer without text"]);
  assertEquals(of(10), ["failed", 200, "no end after 1.5 s"]);
  assertEquals([of(11)[0], records[10].completionTokens], ["ok", 1]);
  assertEquals([of(12)[0], records[11].completionTokens], ["ok", 30]);
  const summary = summarize(records, { itlStat: "mean" });
  assertEquals(summary.all.outcomes, { ok: 2, refused: 2, failed: 8, cut: 0, skipped: 0 });
  assertEquals([summary.problems.length, summary.severalTokensInAPart], [10, 1]);
});

Deno.test("sendLoad() says so when nobody listens", async () => {
  const server = new FakeServer(() => whole(0, 0));
  const { target } = server;
  await server[Symbol.asyncDispose]();
  const [record] = await sendLoad(arrivals(1), loadOptions(target));
  assertEquals([record.outcome, record.status], ["failed", 0]);
  assert(!record.problem!.includes("127.0.0.1"), record.problem);
  await assertRejects(() => warmUp(arrivals(1), loadOptions(target)), Error, "warm-up");
  await assertRejects(() => firstModel(target.baseUrl), TargetError, "cannot be reached");
});

Deno.test("sendLoad() sends on while answers are slow, but not more than may be under way", async () => {
  const gate = Promise.withResolvers<void>();
  await using server: FakeServer = new FakeServer(async () => {
    if (server.seen.length === 4) gate.resolve();
    await gate.promise; // nobody is answered before four have been sent
    return whole(0, 0);
  });
  const records = await sendLoad(arrivals(4), { ...loadOptions(server.target), inFlightMax: 4 });
  assertEquals(records.map(({ outcome }) => outcome), ["ok", "ok", "ok", "ok"]);
  const ended: string[] = [];
  await using silent = new FakeServer(() => stream([[100, chunk("a")], [100, "data: [DONE]\n\n"]]));
  const all = await sendLoad(arrivals(6).map((each) => ({ ...each, atMs: 0 })), {
    ...loadOptions(silent.target),
    inFlightMax: 4,
    onEnd: ({ outcome }) => ended.push(outcome),
  });
  assertEquals(all.map(({ outcome }) => outcome), ["ok", "ok", "ok", "ok", "skipped", "skipped"]);
  assertEquals(ended.sort(), ["ok", "ok", "ok", "ok", "skipped", "skipped"]);
});

Deno.test("sendLoad() gives what there is when it is stopped", async () => {
  const stop = new AbortController();
  await using server: FakeServer = new FakeServer(() => {
    if (server.seen.length === 3) setTimeout(() => stop.abort(), 50);
    return server.seen.length === 1 ? whole(0, 0) : stream([[0, chunk("a")], [Infinity, chunk("b")]]);
  });
  const due = [...arrivals(3), { ...arrivals(1)[0], atMs: 1e6 }];
  const records = await sendLoad(due, loadOptions(server.target, stop.signal));
  assertEquals(records.map(({ outcome }) => outcome).sort(), ["cut", "cut", "ok"]);
  assertEquals(summarize(records, { itlStat: "mean" }).all.goodShare, 1);
});

Deno.test("calibrate() and firstModel() ask the server", async () => {
  await using server: FakeServer = new FakeServer(() => whole(0, 0));
  assertEquals(await firstModel(server.target.baseUrl), "fake");
  assertEquals(await calibrate(server.target, 5), { fixed: 7, perWord: 2 });
  await using broken = new FakeServer(() => whole(0, 0));
  const target = { ...broken.target, baseUrl: `${broken.url}/v1/models?` };
  await assertRejects(() => calibrate(target, 5), TargetError, "does not tell usage.prompt_tokens");
});

async function startLoadtest(args: string[], env: Record<string, string> = {}): Promise<Deno.ChildProcess> {
  const all = ["loadtest", ...args];
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      ...stdFlags(await chooseStd()),
      ...await commandPermissions(all),
      "src/cli/main.ts",
      ...all,
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function outputOf(child: Deno.ChildProcess) {
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

async function loadtest(args: string[], env: Record<string, string> = {}) {
  return await outputOf(await startLoadtest(args, env));
}

Deno.test("kumi loadtest sends what other servers take, and with --kumi the class", async () => {
  await using server: FakeServer = new FakeServer(({ body }) =>
    body.max_tokens === 9 ? new Response("{}", { status: 429 }) : whole(1, 1)
  );
  const svg = await Deno.makeTempFile({ suffix: ".svg" });
  const shares = ["--class", "x:0.5:57/3", "--class", "y:0.5:107/9", "--rate", "40", "--duration", "0.5"];
  const base = [server.url, ...shares, "--warm-up", "0", "--slo-ttft", "10000", "--svg", svg];
  const plain = await loadtest([...base, "--json"], { KUMI_API_KEY: "key-1" });
  assertEquals(plain.code, 0, plain.stderr);
  const result = JSON.parse(plain.stdout);
  assertEquals([result.model, result.due], ["fake", result.all.requests]);
  const [x, y] = result.classes;
  assertEquals([x.outcomes.ok, y.outcomes.refused], [x.requests, y.requests]);
  assert(x.requests > 0 && y.requests > 0);
  assertEquals([x.good, y.good, result.all.good], [x.requests, 0, x.requests]);
  assertStringIncludes(await Deno.readTextFile(svg), "Time to the first token");
  await Deno.remove(svg);
  const sent = server.seen.filter(({ body }) => body.stream);
  for (const each of sent) {
    assertEquals(each.authorization, "Bearer key-1");
    assertEquals(each.path, "/v1/chat/completions");
    const fields = ["model", "messages", "max_tokens", "temperature", "stream", "stream_options"];
    assertEquals(Object.keys(each.body).sort(), fields.sort());
    assertEquals(wordsOf(each).length, each.body.max_tokens === 3 ? 25 : 50);
  }
  server.seen.length = 0;
  const own = await loadtest([
    `${server.url}/v1/`,
    ...shares,
    "--kumi",
    "--api",
    "completions",
    "--ignore-eos",
    "--warm-up",
    "0",
  ]);
  assertEquals(own.code, 0, own.stderr);
  for (const text of ["TTFT p50", "refused", "429", "late at p99"]) assertStringIncludes(own.stdout, text);
  for (const { path, body } of server.seen.filter(({ body }) => body.stream)) {
    assertEquals([path, body.ignore_eos, typeof body.prompt], ["/v1/completions", true, "string"]);
    assertEquals(body.class, body.max_tokens === 3 ? "x" : "y");
  }
});

Deno.test("kumi loadtest --find-rate stays below a rate at which a server refuses", async () => {
  const times: number[] = [];
  await using server: FakeServer = new FakeServer(() => {
    const now = performance.now();
    times.push(now);
    // More than 12 in the last 300 ms are too many: 40 a second.
    return times.filter((at) => at > now - 300).length > 12 ? new Response("", { status: 429 }) : whole(0, 0);
  });
  const { code, stdout, stderr } = await loadtest([
    ...[
      server.url,
      "--find-rate",
      "--rate",
      "20",
      "--duration",
      "0.6",
      "--precision",
      "0.9",
      "--warm-up",
      "0",
    ],
    ...["--slo-ttft", "60000", "--json"],
  ]);
  assertEquals(code, 0, stderr);
  const { perSecond, above, tries } = JSON.parse(stdout);
  assert(perSecond === null || perSecond < above);
  assert(tries.some((each: { goodShare: number }) => each.goodShare < 0.95));
  for (const each of tries) {
    assertEquals(each.goodShare >= 0.95, perSecond !== null && each.perSecond <= perSecond);
  }
});

Deno.test("kumi loadtest prints what there is when it is interrupted", async () => {
  const asked = Promise.withResolvers<void>();
  await using server: FakeServer = new FakeServer(() => {
    if (server.seen.filter(({ body }) => body.stream).length < 3) return whole(0, 0);
    asked.resolve();
    return stream([[0, chunk("a")], [Infinity, chunk("b")]]);
  });
  const child = await startLoadtest([server.url, "--rate", "20", "--duration", "1000", "--warm-up", "0"]);
  await asked.promise;
  child.kill("SIGINT");
  const { code, stdout, stderr } = await outputOf(child);
  assertEquals(code, 130, stderr);
  for (const text of ["stopped after", "TTFT p50", "15.0 % of the prompts' tokens"]) {
    assertStringIncludes(stdout, text);
  }
});

Deno.test("kumi loadtest plays a trace", async () => {
  await using server: FakeServer = new FakeServer(() => whole(0, 0));
  const trace = await Deno.makeTempFile();
  await Deno.writeTextFile(
    trace,
    "at_ms,class,prompt_tokens,max_tokens\n0,a,27,3\n5000,b,47,4\n999999,a,7,1\n",
  );
  const args = [
    server.url,
    "--trace",
    trace,
    "--speed",
    "50",
    "--duration",
    "1",
    "--answer-max",
    "3",
    "--warm-up",
    "1",
  ];
  const { code, stdout, stderr } = await loadtest([...args, "--json"]);
  await Deno.remove(trace);
  assertEquals(code, 0, stderr);
  assertEquals(JSON.parse(stdout).classes.map(({ requests }: { requests: number }) => requests), [1, 1]);
  const streamed = server.seen.filter(({ body }) => body.stream);
  assertEquals(streamed.map((each) => [wordsOf(each).length, each.body.max_tokens]), [[10, 3], [10, 3], [
    20,
    3,
  ]]);
});

Deno.test("kumi loadtest refuses what it cannot do before it asks a server", async () => {
  const nobody = "http://127.0.0.1:9";
  for (
    const [args, message] of [
      [["ftp://host"], "must begin with http:// or https://"],
      [[nobody, "--class", "a"], "A class must be like"],
      [[nobody, "--find-rate"], "--find-rate needs --slo-ttft"],
      [[nobody, "--slo-itl-stat", "p50"], "--slo-itl-stat takes mean or p95"],
      [[nobody, "--api", "responses"], "--api takes chat or completions"],
    ] as const
  ) {
    const { code, stderr } = await loadtest([...args]);
    assertEquals([code, stderr.includes(message)], [2, true], stderr);
  }
});
